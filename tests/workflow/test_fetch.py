"""`neuro fetch`: what is downloaded is held against the published sums; what plugins name can be listed and is well formed."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurocli.cli.main import run
from neurocli.errors import DataError, NeuroError, UnknownName
from neurocli.plugin.cards import DownloadCard
from neurocli.plugin.registry import load_implementation, registry
from neurocli.recordings.files.download import Download, fetch, fetched, published_sums
from neurocli.workflow.data import fetch as workflow

CONTENT = {"first.gz": b"the first file", "second.gz": b"the second file"}
SUMS = {name: hashlib.md5(content).hexdigest() for name, content in CONTENT.items()}
CARDS = list(registry().cards(DownloadCard))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NEUROCLI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def served(tmp_path) -> Iterator[tuple[str, Path]]:
    """(address, folder) of a server on this machine with both files and a list of their sums."""
    folder = tmp_path / "served"
    (folder / "files").mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / "files" / name).write_bytes(content)
    (folder / "md5sums.txt").write_text("".join(f"{md5} *{name}\n" for name, md5 in SUMS.items()) + "not a line\n")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def download(address: str, *, known: bool = True, sums: str = "", then: str = "neuro info {files}") -> Download:
    files = tuple((name, f"files/{name}", SUMS[name] if known else None) for name in CONTENT)
    return Download("toy", "the toy files", address, files, sums, then)


@pytest.mark.parametrize(("known", "sums"), [(True, ""), (False, "md5sums.txt")])
def test_files_are_fetched_once_and_checked(served, cache, capsys, known, sums):
    toy = download(served[0], known=known, sums=sums)
    with pytest.raises(DataError, match="the toy files are not in the cache") as caught:
        fetched(toy)
    assert "neuro fetch toy" in caught.value.hint
    actual = fetch(toy)
    assert [path.read_bytes() for path in actual] == list(CONTENT.values())
    assert actual == fetched(toy) and all(path.parent == cache / "toy" for path in actual)
    assert capsys.readouterr().err.count("md5 as published") == 2
    before = [path.stat().st_mtime_ns for path in actual]
    assert [path.stat().st_mtime_ns for path in fetch(toy)] == before


def test_a_list_of_sums_is_read_as_far_as_it_is_one(served):
    assert published_sums(f"{served[0]}/md5sums.txt") == SUMS
    assert published_sums(f"{served[0]}/nowhere.txt") == {}


@pytest.mark.parametrize(("known", "sums"), [(True, ""), (False, "md5sums.txt")])
def test_a_changed_file_is_not_taken(served, tmp_path, known, sums):
    address, folder = served
    (folder / "files/first.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match="md5 differs"):
        fetch(download(address, known=known, sums=sums), tmp_path / "here")
    assert not (tmp_path / "here/first.gz").exists()


def test_a_file_that_changed_in_the_cache_is_fetched_anew(served):
    toy = download(served[0])
    path = fetch(toy)[0]
    path.write_bytes(b"something else")
    assert fetch(toy)[0].read_bytes() == CONTENT["first.gz"]


@pytest.mark.parametrize(("sums", "said"), [("", "no sum of it is published"), ("gone.txt", "gone.txt cannot be had")])
def test_without_sums_it_is_said_that_nothing_was_verified(served, tmp_path, capsys, sums, said):
    toy = download(served[0], known=False, sums=sums)
    fetch(toy, tmp_path / "here")
    assert capsys.readouterr().err.count(f"not verified, {said}") == 2
    fetch(toy, tmp_path / "here")  # what is there is used, and said
    assert capsys.readouterr().err.count(f"{said}, so it is not verified") == 2


def test_offline_one_clear_error_and_what_is_there_is_used(served, tmp_path):
    toy = download(served[0])
    with pytest.raises(NeuroError, match="no connection") as caught:
        fetch(toy, tmp_path / "nowhere", "http://127.0.0.1:9")
    assert caught.value.exit_code == 1 and "first.gz and second.gz" in caught.value.hint
    fetch(toy, tmp_path / "here")
    assert len(fetch(toy, tmp_path / "here", "http://127.0.0.1:9")) == 2


def test_a_file_that_is_refused_there_is_an_error_with_its_address(served, tmp_path):
    address, folder = served
    (folder / "files/second.gz").unlink()
    with pytest.raises(NeuroError, match="404") as caught:
        fetch(download(address), tmp_path / "here")
    assert caught.value.where == f"{address}/files/second.gz" and "--address" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_an_error(served, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NeuroError) as caught:
        fetch(download(served[0]), tmp_path / "file" / "folder")
    assert caught.value.exit_code == 1 and "file" in caught.value.where


def test_the_next_command_names_the_files_where_it_needs_to(served, tmp_path, monkeypatch):
    folder = tmp_path / "a folder"
    names = [str(folder / name) for name in CONTENT]
    for then, out, wanted in (
        ("neuro info {files}", folder, f"neuro info '{names[0]}' '{names[1]}'"),
        ("neuro train", folder, f"neuro train --data '{names[0]}' --data '{names[1]}'"),
        ("neuro train", None, "neuro train"),
    ):
        toy = download(served[0], then=then)
        monkeypatch.setattr("neurocli.plugin.registry.load_implementation", lambda card, toy=toy: toy)
        assert workflow.fetch("shd", out=out).then == wanted


# -- the command and what plugins name -------------------------------------------------------------------------------


def test_without_a_name_all_are_listed(capsys):
    assert run(["fetch", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["data"]["data_sets"]}
    assert {"shd", "mnist", "cifar10", "wikitext-2", "japanese-vowels"} <= set(rows)
    assert rows["mnist"]["files"] == 4 and rows["mnist"]["cached"] is False
    assert run(["fetch"]) == 0 and "fashion-mnist" in capsys.readouterr().out
    assert run(["fetch", "--out", "here"]) == 2


def test_the_command_prints_the_files(served, tmp_path, capsys):
    address, folder = served
    for name, _, _ in load_implementation(registry().download("japanese-vowels")).files:
        (folder / name).write_bytes(b"a zip")
    assert run(["fetch", "japanese-vowels", "--out", str(tmp_path / "here"), "--address", address, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert [Path(file).read_bytes() for file in data["files"]] == [b"a zip"]
    assert data["next"] == f"neuro info {data['files'][0]}"
    assert run(["fetch", "mnist", "--out", str(tmp_path / "no"), "--address", "http://127.0.0.1:9", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "the file cannot be downloaded: no connection"


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(UnknownName) as caught:
        workflow.fetch("minst")
    assert "mnist" in caught.value.hint


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_data_set_that_a_plugin_names_is_well_formed(card):
    actual = load_implementation(card)
    assert actual.name == card.name and actual.files and actual.about
    assert re.fullmatch(r"https?://[\w.~/-]+[^/]", actual.address)
    names = [name for name, _, _ in actual.files]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[\w.-]+", name) for name in names)
    assert all(md5 is None or re.fullmatch(r"[0-9a-f]{32}", md5) for _, _, md5 in actual.files)
