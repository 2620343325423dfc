"""The report of a run: what it says, what it never lets in, and what it says is not there."""

from __future__ import annotations

import re
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from neurocli.errors import DataError
from neurocli.report.page import Page, page_of
from neurocli.report.pictures import forest, kept_figure, training_curve
from neurocli.report.render import render
from neurocli.runs.folder import RunFolder
from neurocli.runs.records import write_record

EVIL = "<script>alert('x')</script>"


def png() -> bytes:
    """The smallest picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def score(name: str, kind: str, value: float | None, half: float | None = 0.01, **other: Any) -> dict[str, Any]:
    low, high = (None, None) if half is None or value is None else (value - half, value + half)
    row = {"name": name, "kind": kind, "metric": "R2", "unit": "z", "target": "1 ms", "horizon_ms": 1.0}
    return {**row, "subset": "all", "value": value, "low": low, "high": high, "n_groups": 3, **other}


def exhibit(run: RunFolder, **other: Any) -> dict[str, Any]:
    table = {"columns": ["lag", "worth"], "rows": [[n, n / 7] for n in range(40)], "note": "in z"}
    figure = str(run.figures / "evaluation" / "lags.png")
    claims = {"tau_ms": 10.25, "all": list(range(100))}
    return {"name": "lags", "title": "What lags are worth", "figure": figure, "table": table, "claims": claims, **other}


def evaluation(run: RunFolder, **other: Any) -> dict[str, Any]:
    paired = {"value": 0.1, "low": 0.09, "high": 0.11, "p": None, "n_groups": 3, "verdict": "better"}
    skill = {
        "metric": "R2", "horizon_ms": 1.0, "model": 0.6, "best_baseline": "ridge", "baseline": 0.5, "ceiling": 0.7,
        "value": 0.5, "low": 0.4, "high": 0.6, "reason": None, "paired": paired,
    }  # fmt: skip
    target = {"name": "1 ms", "horizon_ms": 1.0, "unit": "mV", "subsets": ["E", "spike"], "groups": ["a", "b", "c"]}
    scores = [
        score("toy-v1", "model", 0.6),
        score("persistence", "baseline", -700.0),
        score("ridge", "baseline", 0.5),
        score("oracle", "ceiling", 0.7, None),
        score("toy-v1", "model", 0.61, subset="E"),
        score("toy-v1", "model", 0.31, subset="spike"),
        score("toy-v1", "model", 0.4, target="5 ms", horizon_ms=5.0),
    ]
    return {
        "model": "toy-v1", "scores": scores, "skill": skill, "skills": [skill, skill],
        "differences": [{"baseline": "ridge", **paired}],
        "metrics": [{"name": "R2", "unit": "z", "higher": True}],
        "targets": [target, {**target, "name": "5 ms", "horizon_ms": 5.0}],
        "protocol": {"split": "by-group", "leaky": False, "groups": {}, "group": "worm"}, "ceiling_reason": None,
        "hindsight": ["spike"], "exhibits": [exhibit(run)], "notes": ["the flag is on"],
        "warnings": ["leak suspected"], **other,
    }  # fmt: skip


def diagnosis(*verdicts: str) -> dict[str, Any]:
    findings = [
        {
            "check": f"check-{n}",
            "subject": "data",
            "verdict": verdict,
            "value": n / 3,
            "threshold": "≤ 1",
            "advice": "mend",
        }
        for n, verdict in enumerate(verdicts)
    ]
    return {"subject": "toy", "findings": findings, "notes": [], "protocol": None}


def keep(run: RunFolder, **results: Any) -> None:
    for name, result in results.items():
        write_record(run.path / f"{name}.json", result)


def make(root: Path, split: dict[str, Any] | None = None, **info: Any) -> RunFolder:
    groups = {"train": [EVIL, "b"], "validation": ["c"], "test": ["d"]}
    about = {
        "status": "finished",
        "split": {"split": "by-group", "leaky": False, "groups": groups, **(split or {})},
        "data": {"paths": ["/data/worms.h5"], "simulator": None},
        **info,
    }
    provenance = {
        "command": ["neuro", "train", "a b"], "python": "3.11.7", "versions": {"torch": "2.13.0"},
        "git": {"commit": "abc123", "changed": True}, "data": [{"path": "/data/worms.h5", "bytes": 39362215}],
    }  # fmt: skip
    config = {"train": {"epochs": 3, "learning_rate": 0.0123456789, "patience": None}}
    run = RunFolder.create(root, "toy-v1", about, config, {"train.epochs": "flag"}, provenance)
    run.metrics_csv.write_text("epoch,train_loss,validation_loss\n1,3.5,2.0\n2,3.25,1.5\n3,3.0,1.75\n")
    write_record(run.metrics_json, {"epochs": 3, "best_epoch": 2, "best_validation_loss": 1.5, "parameters": 14627})
    (run.figures / "evaluation").mkdir(parents=True)
    (run.figures / "evaluation" / "lags.png").write_bytes(png())
    return run


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run with all of its results."""
    made = make(tmp_path)
    keep(
        made,
        evaluation=evaluation(made),
        interpretation={"exhibits": [exhibit(made, title="Filters", claims={})], "notes": ["the flag is on"]},
        diagnosis=diagnosis("PASS", "FAIL", "WARN", "PASS"),
    )
    return made


def page(run: RunFolder, unfinished: str | None = None) -> Page:
    return page_of(run, status="finished", unfinished=unfinished)


def html(run: RunFolder, **other: Any) -> str:
    return render(page(run, **other))


class Outline(HTMLParser):
    """What a browser would see: every tag is closed, and nothing is fetched."""

    VOID = {"meta", "img", "br", "link"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_one_file_that_fetches_nothing(run: RunFolder) -> None:
    text = html(run)
    found = Outline(text)
    assert text.startswith("<!doctype html>") and found.open == []
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in found.seen}
    assert "http://" not in text and "https://" not in text and "url(" not in text
    pictures = [attributes for tag, attributes in found.seen if tag == "img"]
    assert len(pictures) == 4
    assert all((p["src"] or "").startswith("data:image/png;base64,") and p["alt"] for p in pictures)
    assert html(run) == text  # the same run, the same page


def test_the_verdict_comes_first(run: RunFolder) -> None:
    first, second, third = page(run).verdict
    assert first == (
        "R2 (z), 1 ms ahead: toy-v1 0.6 [0.59, 0.61]; best baseline: ridge 0.5 [0.49, 0.51]; ceiling: oracle 0.7"
    )
    assert second.startswith("Skill 0.5 ") and third == "Diagnosis: 1 FAIL, 1 WARN, 2 PASS"
    text = html(run)
    parts = [
        "R2 (z), 1 ms ahead: toy",
        "<h2>Scores",
        "<h2>Training",
        "<h2>Diagnosis",
        "<h2>Evaluation",
        "<h2>Inter",
        "<h2>Data",
    ]
    at = [text.index(part) for part in (*parts, "<h2>Provenance")]
    assert at == sorted(at)


def test_scores_stand_beside_their_references(run: RunFolder) -> None:
    found = page(run)
    assert found.scores is not None
    board, differences, horizons, subset, hindsight = found.scores
    assert [row[:2] for row in board.rows] == [
        ["toy-v1", "model"], ["persistence", "baseline"], ["ridge", "baseline"], ["oracle", "ceiling"],
    ]  # fmt: skip
    assert (
        board.rows[0][2] == "0.6 [0.59, 0.61]" and board.rows[3][2] == "0.7" and board.numeric == [False, False, True]
    )
    assert differences.rows == [["ridge", "0.1 [0.09, 0.11]", "–", "better"]]
    assert horizons.rows[-1] == ["skill", "", "0.5", "0.5"] and subset.columns == ["", "kind", "E"]
    assert "never quote" in (hindsight.note or "")


def test_findings_are_sorted_and_what_passed_is_folded(run: RunFolder) -> None:
    found = page(run)
    assert found.findings is not None and found.passed is not None
    assert [row[0] for row in found.findings.rows] == ["FAIL", "WARN"] and len(found.passed.rows) == 2
    text = html(run)
    assert text.index("check-1") < text.index("check-2") < text.index("<summary>2 PASS")
    assert text.index("<summary>2 PASS") < text.index("check-0")


def test_long_tables_are_folded(run: RunFolder) -> None:
    text = html(run)
    assert text.count("<summary>25 more rows</summary>") == 2
    assert text.index('<td class="number">14<') < text.index("25 more rows") < text.index('<td class="number">15<')
    assert "100 values" in text and "10.25" in text


def test_training_options_and_origin(run: RunFolder) -> None:
    found = page(run)
    assert found.training == "3 epochs, best epoch 2, lowest validation loss 1.5, 14627 parameters."
    assert found.options is not None and found.provenance is not None and found.sources is not None
    assert found.options.rows == [
        ["train.epochs", "3", "flag"],
        ["train.learning_rate", "0.0123456789", "default"],
        ["train.patience", "unset", "default"],
    ]
    origin = dict(found.provenance.rows)
    assert origin["command"] == "neuro train 'a b'" and origin["commit"] == "abc123, with uncommitted changes"
    assert found.sources.rows == [["/data/worms.h5", "39.36 MB", "–"]]
    assert found.warnings == ["leak suspected"] and found.notes == ["the flag is on"]


def test_what_comes_out_of_files_is_escaped(tmp_path: Path) -> None:
    run = make(tmp_path, preset=EVIL)
    result = evaluation(run, model=EVIL, notes=[EVIL], warnings=["\x1b[31m"])
    result["scores"][0]["name"] = result["targets"][0]["name"] = EVIL
    result["exhibits"] = [exhibit(run, title=f'"{EVIL}', claims={EVIL: EVIL}, figure=f"{EVIL}/figures/{EVIL}.png")]
    result["exhibits"][0]["table"] = {"columns": [EVIL], "rows": [[EVIL], [{EVIL: [EVIL]}]], "note": EVIL}
    found = diagnosis("FAIL")
    found["findings"][0].update(check=EVIL, advice=EVIL, value=EVIL, verdict=EVIL)
    keep(run, evaluation=result, diagnosis=found, interpretation=evaluation(run, exhibits=[]))
    text = html(run, unfinished=EVIL)
    assert "script>" not in text.lower() and text.count("&lt;script&gt;") > 12 and "\x1b" not in text
    assert Outline(text).open == []


def test_a_leaky_split_is_marked_in_every_table(tmp_path: Path) -> None:
    run = make(tmp_path, split={"leaky": True, "split": "published"})
    keep(run, evaluation=evaluation(run), interpretation=evaluation(run))
    text = html(run)
    assert "LEAKY.</strong> The split published" in text
    assert all("LEAKY" in title for title in re.findall(r"<h3>(.*?)</h3>", text, re.S) if "Warnings" not in title)


def test_a_leak_that_only_the_evaluation_knows_of(run: RunFolder) -> None:
    assert not page(run).leaky and "LEAKY" not in html(run)
    result = evaluation(run)
    result["protocol"]["leaky"] = True
    keep(run, evaluation=result)
    assert page(run).leaky and "LEAKY" in html(run)


def test_what_is_not_there_is_named_with_its_command(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.metrics_csv.unlink()
    run.metrics_json.unlink()
    run.provenance.unlink()
    found = page(run, "the training did not finish (0 of 3 epochs)")
    commands = {name: one.command for name, one in found.missing.items()}
    assert commands == {
        "evaluation": f"neuro evaluate {run.name}",
        "interpretation": f"neuro interpret {run.name}",
        "diagnosis": f"neuro diagnose {run.name}",
    }
    text = render(found)
    assert all(f"<code>{command}</code>" in text for command in commands.values())
    assert "Unfinished.</strong> the training did not finish" in text and "No epoch has finished" in text
    assert Outline(text).open == []


def test_folds_are_listed(tmp_path: Path) -> None:
    fold = {"train": ["a", "b"], "validation": [], "test": ["c"]}
    parts = page(make(tmp_path, split={"folds": [fold, fold]})).parts
    assert [(p.name, p.number) for p in parts][3:] == [
        ("fold 1, train", 2), ("fold 1, test", 1), ("fold 2, train", 2), ("fold 2, test", 1),
    ]  # fmt: skip


# -- figures -----------------------------------------------------------------------------------------------------


def test_a_figure_that_is_gone_is_said(run: RunFolder) -> None:
    (run.figures / "evaluation" / "lags.png").unlink()
    text = html(run)
    assert text.count("figure lags.png no longer exists.") == 2 and text.count("<img") == 2


def test_only_the_figures_of_the_run_are_taken(run: RunFolder, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png())
    (run.figures / "link.png").symlink_to(secret)
    (run.figures / "text.png").write_text("no picture")
    (run.figures / "half.png").write_bytes(png()[:-6])
    for named in (
        str(secret), "/etc/passwd", f"{run.figures}/../run.json", "figures/../../../secret.png", f"{run.figures}/link.png",
        f"{run.figures}/text.png", f"{run.figures}/half.png", f"{run.figures}", "", "figures/\0", "figures/" + "x" * 300,
    ):  # fmt: skip
        uri, why = kept_figure(run.path, named)
        assert uri is None and why
    moved = "/elsewhere/runs/figures/run/figures/evaluation/lags.png"
    assert kept_figure(run.path, moved)[0] is not None


def test_a_forest_shows_what_is_known() -> None:
    far = [score("model", "model", 0.6), score("a", "baseline", 0.5), score("mean", "baseline", -1e9)]
    assert (forest(far, "R2 [$z$] <b>") or "").startswith("data:image/png;base64,")
    assert forest([score("model", "model", None)], "R2") is None
    same = [score("model", "model", 1.0, None), score("a", "baseline", 1.0, None)]
    assert forest(same, "R2") and forest(same[:1], "R2") and forest([score("新しい", "baseline", 0.2)], "R2")
    assert forest([score("model", "model", float("nan")), score("a", "baseline", 0.1, float("nan"))], "R2")


def test_curves_of_one_epoch_and_without_validation() -> None:
    assert training_curve([{"epoch": 1, "train_loss": 2.0, "validation_loss": 1.0}], 1)
    assert training_curve([{"epoch": 1, "train_loss": 2.0}, {"epoch": 2, "train_loss": float("nan")}], None)
    assert training_curve([{"epoch": 1}], None) is None


# -- damage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["{", "[1]", "{}", '{"skill": 3}', "\xff", '{"exhibits": 3, "findings": [1]}'])
@pytest.mark.parametrize("name", ["evaluation", "interpretation", "diagnosis"])
def test_a_damaged_result_is_named(name: str, content: str, run: RunFolder) -> None:
    path = run.path / f"{name}.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(DataError) as caught:
        page(run)
    assert caught.value.where == str(path)
    assert "neuro" in (caught.value.hint or "") and run.name in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", '{"best_epoch": "x"}'),
        ("metrics.json", "{"),
        ("provenance.json", '{"versions": 3}'),
        ("provenance.json", '{"data": [3]}'),
        ("config.toml", "train = ["),
        ("run.json", '{"model": "toy-v1", "split": {"split": "x", "groups": {"train": 3}}}'),
        ("run.json", "{"),
    ],
)
def test_a_damaged_run_is_named_by_its_file(name: str, content: str, run: RunFolder) -> None:
    (run.path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        page(run)
    assert Path(caught.value.where or "").name == name and caught.value.hint
