"""Analyses that come with a release: the ones that this code would make, used for the same bytes alone."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from tests.support.samples import need
from toolkit import analysis
from toolkit.analysis.parts import read_parts
from toolkit.catalog.load import load_curated
from toolkit.model import Analysis, Engine
from toolkit.paths import data_folder
from toolkit.snapshot import shipped as module
from toolkit.snapshot.build import Reader, analysis_key, hash_text, hide_interpreter
from toolkit.snapshot.shipped import find_file, load_shipped, name_code, write_shipped
from toolkit.sources.registry import PACKAGES

DATA = b"BEGIN { exit(); }\n"
SHA256 = hash_text(DATA)
KEY = analysis_key(Engine.BPFTRACE, "slow", SHA256)
MADE = Analysis(probes=(need("tracepoint:a:b"),), summary="Shows what is slow")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / module.NAME
    path.write_bytes(write_shipped({KEY: MADE}))
    monkeypatch.setattr(module, "find_file", lambda: path)
    return path


def fail(engine: Engine, data: bytes, name: str, parts: Mapping[str, bytes]) -> Analysis:
    raise AssertionError("analysed")


@pytest.mark.usefixtures("file")
def test_what_came_along_is_not_analysed() -> None:
    read = Reader(fail).read(Engine.BPFTRACE, "slow", DATA, SHA256)
    assert read == msgspec.structs.replace(MADE, summary="")


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("engine", "stem", "data"),
    [(Engine.BPFTRACE, "fast", DATA), (Engine.BCC, "slow", DATA), (Engine.BPFTRACE, "slow", DATA + b"\n")],
)
def test_another_text_engine_or_name_is_analysed(engine: Engine, stem: str, data: bytes) -> None:
    with pytest.raises(AssertionError, match="analysed"):
        Reader(fail).read(engine, stem, data, hash_text(data))


@pytest.mark.usefixtures("file")
def test_what_other_code_made_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEY in load_shipped()
    code = tmp_path / "model.py"
    code.write_text("x = 1\n")
    monkeypatch.setattr(module, "list_code", lambda: (code,))
    assert load_shipped() == {}


@pytest.mark.parametrize("keep", [0, 1, 40, -1])
def test_a_file_that_is_cut_short_does_not_count(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    assert load_shipped() == {}


def test_a_file_that_holds_something_else_or_is_not_there_does_not_count(file: Path) -> None:
    file.write_bytes(gzip.compress(msgspec.msgpack.encode({"code": name_code(), "analyses": 3})))
    assert load_shipped() == {}
    file.unlink()
    assert load_shipped() == {}


def test_the_same_analyses_make_the_same_file() -> None:
    both = {KEY: MADE, KEY + "0": MADE}
    assert write_shipped(both) == write_shipped(dict(reversed(both.items())))


def test_the_file_of_this_release_was_made_by_this_code() -> None:
    """Otherwise run `make analyses`: it is of no use, and a first command takes a second longer."""
    assert find_file().is_file()
    assert load_shipped()


def test_all_tools_that_it_speaks_of_are_curated() -> None:
    """Only these have a summary of their own."""
    curated = {name for tool in load_curated(data_folder()).tools for name in (tool.name, *tool.aliases)}
    assert {key.split(":")[1] for key in load_shipped()} <= curated


@pytest.mark.packages
def test_it_says_of_the_packages_tools_what_an_analysis_says() -> None:
    came, compared = load_shipped(), 0
    for one in PACKAGES.discover(Path("/")):
        text = hide_interpreter(Path(one.path).read_bytes())
        parts = read_parts(one.engine, text, one.path)
        packed = came.get(analysis_key(one.engine, one.stem, hash_text(text), parts))
        if packed:
            made = analysis.analyze(one.engine, text, one.stem, parts)
            assert msgspec.msgpack.decode(packed, type=Analysis) == msgspec.structs.replace(made, summary="")
            compared += 1
    assert compared > 200
