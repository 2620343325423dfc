"""`neuro doctor`: is everything there that neuro needs."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata

from neurocli.cli.options import Json
from neurocli.cli.output import Output

Row = tuple[str, str, str, str]
_OK, _OPTIONAL, _MISSING = "ok", "optional", "missing"


def doctor(json: Json = False) -> None:
    """Check Python, packages, compiler, devices, plugins and folders; exit code 4 if something required is missing."""
    with Output("doctor", json=json) as output:
        from neurocli.errors import CheckFailed

        rows = [_python(), *_packages(), _compiler(), *_devices(), *_plugins(), _cache()]
        keys = ("what", "status", "found", "advice")
        output.data["checks"] = [dict(zip(keys, row, strict=True)) for row in rows]
        output.table("requirements of neuro", keys, rows)
        missing = [row for row in rows if row[1] == _MISSING]
        if missing:
            raise CheckFailed(
                f"{len(missing)} required {'things are' if len(missing) != 1 else 'thing is'} missing: {', '.join(row[0] for row in missing)}",
                where="neuro doctor",
                hint=missing[0][3] or None,
            )


def _python() -> Row:
    fine = sys.version_info >= (3, 11)
    return "python", _OK if fine else _MISSING, sys.version.split()[0], "" if fine else "install Python 3.11 or newer"


def _packages() -> Iterator[Row]:
    """What our own metadata asks for: name, lower bound and extra of every requirement."""
    try:
        requirements = metadata.requires("neurocli") or []
    except metadata.PackageNotFoundError:
        yield "neurocli", _MISSING, "not installed", "pip install neurocli"
        return
    for text in requirements:
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?([^;]*);?(.*)", text)
        if match is None or match[1] == "neurocli":
            continue
        name, bounds, marker = match[1], match[2].strip(" ()"), match[3]
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", marker)
        if extra and extra[1] in ("dev", "test", "docs"):
            continue
        absent = _OPTIONAL if extra else _MISSING
        advice = f'pip install "neurocli[{extra[1]}]"' if extra else f'pip install "{name}{bounds}"'
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield name, absent, "not installed", advice
            continue
        fits = _fits(version, bounds)
        yield name, _OK if fits else absent, version if fits else f"{version}, needs {bounds}", "" if fits else advice


def _fits(version: str, bounds: str) -> bool:
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:  # comes with lightning and matplotlib; without it, that a package is there must do
        return True
    return SpecifierSet(bounds).contains(version, prereleases=True)


def _compiler() -> Row:
    compiler = next(
        (
            path
            for name in (os.environ.get("CXX"), "c++", "g++", "clang++", "cl")
            if name and (path := shutil.which(name))
        ),
        None,
    )
    return (
        "C++ compiler",
        _OK if compiler else _OPTIONAL,
        compiler or "none",
        "" if compiler else "install g++ or clang: simulations run many times faster",
    )


def _devices() -> Iterator[Row]:
    try:
        from neurocli.training.devices import available_devices

        yield "devices", _OK, ", ".join(available_devices()), ""
    except Exception as error:
        yield "devices", _MISSING, f"torch cannot be loaded: {type(error).__name__}: {error}", "reinstall torch"


def _plugins() -> Iterator[Row]:
    from neurocli.plugin.registry import registry

    for plugin in registry().plugins:
        ours = plugin.distribution == "neurocli"
        status = _OK if plugin.ok else _MISSING if ours else _OPTIONAL
        advice = (
            ""
            if plugin.ok
            else "reinstall neurocli"
            if ours
            else f"ask the authors of {plugin.distribution}, or uninstall it"
        )
        yield (
            f"plugin {plugin.entry_point}",
            status,
            f"{plugin.distribution} {plugin.version}" + (f": {plugin.fault}" if plugin.fault else ""),
            advice,
        )


def _cache() -> Row:
    from neurocli.runs.cache import cache_root

    folder = cache_root()
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    fine = os.access(place, os.W_OK) and place.is_dir()
    return (
        "cache",
        _OK if fine else _MISSING,
        str(folder),
        "" if fine else "set NEUROCLI_CACHE to a folder that you may write to",
    )
