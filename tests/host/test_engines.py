"""Which engines can start tools here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.host import engines
from toolkit.host.engines import (
    Missing,
    find_bcc,
    find_bpftrace,
    find_native,
    find_shell,
    parse_version,
    read_bcc_version,
)
from toolkit.host.places import PYTHONS
from toolkit.host.tree import Tree
from toolkit.model import Engine, EngineFact, Fact


def program(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("bpftrace v0.17.0\n", "0.17.0"),
        ("bpftrace v0.20.0-45-g1a2b3c\n", "0.20.0"),
        ("bpftrace v0.24\n", "0.24"),
        ("0.31.0\n", "0.31.0"),
        ("0.26.0+ds\n", "0.26.0"),
        ("EXTRA\n", ""),
    ],
)
def test_a_version_is_its_dotted_numbers(text: str, version: str) -> None:
    assert parse_version(text) == version


def test_the_first_bpftrace_that_answers_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = program(tmp_path / "broken", "#!/bin/sh\necho cannot load libbpf >&2; exit 127\n")
    good = program(tmp_path / "good", "#!/bin/sh\n[ $1 = --version ] && echo bpftrace v0.23.2\n")
    monkeypatch.setattr(engines, "BPFTRACES", ("/no/such/bpftrace", broken, good))
    assert find_bpftrace() == EngineFact(name=Engine.BPFTRACE, version="0.23.2", argv=(good,))


def test_no_bpftrace_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BPFTRACES", ("/no/such/bpftrace",))
    found = find_bpftrace()
    assert isinstance(found, Missing)
    assert found.why.startswith("there is no bpftrace in /usr/local/sbin, ")


def test_one_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = program(tmp_path / "bpftrace", "#!/bin/sh\necho cannot load libbpf >&2; exit 127\n")
    monkeypatch.setattr(engines, "BPFTRACES", (broken,))
    assert find_bpftrace() == Missing(f"{broken} fails: cannot load libbpf")


def test_one_that_does_not_answer_may_do_so_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = program(tmp_path / "bpftrace", "#!/bin/sh\nexec sleep 20\n")
    monkeypatch.setattr(engines, "BPFTRACES", (slow,))
    monkeypatch.setattr(engines, "BPFTRACE_SECONDS", 0.1)
    assert find_bpftrace() == Missing(f"{slow} did not answer within 0.1 s", passing=True)


def test_one_that_was_killed_may_answer_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """^C in a terminal goes to the engine that is being asked, too, and its absence must not be remembered."""
    killed = program(tmp_path / "bpftrace", "#!/bin/sh\nkill -INT $$\n")
    monkeypatch.setattr(engines, "BPFTRACES", (killed,))
    assert find_bpftrace() == Missing(f"{killed} fails: it says nothing", passing=True)


def test_one_file_under_two_names_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = program(tmp_path / "bpftrace", f"#!/bin/sh\necho x >> {tmp_path}/asked; exit 1\n")
    (tmp_path / "link").symlink_to(first)
    monkeypatch.setattr(engines, "BPFTRACES", (first, str(tmp_path / "link")))
    find_bpftrace()
    assert (tmp_path / "asked").read_text() == "x\n"


@pytest.mark.root
@pytest.mark.parametrize(("mode", "owner", "why"), [(0o757, 0, "written by others"), (0o755, 1000, "to uid 1000")])
def test_root_runs_nothing_that_others_can_write(
    mode: int, owner: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program(tmp_path / "bpftrace", f"#!/bin/sh\ntouch {tmp_path}/ran; echo v1.0\n", mode)
    os.chown(path, owner, 0)
    monkeypatch.setattr(engines, "BPFTRACES", (path,))
    found = find_bpftrace()
    assert isinstance(found, Missing)
    assert why in found.why
    assert not (tmp_path / "ran").exists()


def test_bcc_is_asked_of_system_pythons_only() -> None:
    assert all(path.startswith(("/usr/bin/", "/usr/libexec/", "/usr/local/bin/")) for path in PYTHONS)


def test_a_python_without_bcc_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'bcc'\" >&2; exit 1\n"
    python = program(tmp_path / "python3", text)
    monkeypatch.setattr(engines, "PYTHONS", (python,))
    assert find_bcc() == Missing(f"{python} fails: ModuleNotFoundError: No module named 'bcc'")


def test_a_bcc_that_lies_in_the_working_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bcc.py").write_text("__version__ = '6.6.6'\nopen('ran', 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = find_bcc()
    assert not isinstance(found, EngineFact) or found.version != "6.6.6"
    assert not (tmp_path / "ran").exists()


def test_bcc_here_is_the_distributions() -> None:
    if not Path("/usr/lib/python3/dist-packages/bcc").exists():
        pytest.skip("python3-bpfcc is not installed")
    found = find_bcc()
    assert isinstance(found, EngineFact)
    assert found.argv == ("/usr/bin/python3",)
    assert found.version.startswith("0.")


def test_native_programs_need_only_the_kernel() -> None:
    assert find_native("6.18.1", Fact(True)) == EngineFact(name=Engine.NATIVE, version="6.18.1", argv=())
    assert find_native("6.18.1", Fact(False, origin="EPERM")) == Missing("EPERM")
    assert find_native("6.18.1", Fact(unknown="not tried")) == Missing("not tried")


def test_a_shell_is_always_there(tmp_path: Path) -> None:
    found = find_shell(Tree())
    assert isinstance(found, EngineFact)
    assert find_shell(Tree(tmp_path)) == Missing("there is no /bin/sh")


def test_a_bcc_says_its_version_in_a_text_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (str(tmp_path / name) for name in ("one", "other"))
    monkeypatch.setattr(engines, "PYTHON_PACKAGES", (one, other))
    assert read_bcc_version() == ""
    for folder, text in ((one, "__version__ = '0.31.0'\n"), (other, "__version__ = '0.26.0'\n")):
        Path(folder, "bcc").mkdir(parents=True)
        Path(folder, "bcc", "version.py").write_text(text)
        assert read_bcc_version() == ("0.31.0" if folder == one else "")  # of two nobody knows which one counts


@pytest.mark.packages
def test_the_packaged_bcc_is_imported_in_the_version_that_it_says() -> None:
    found = find_bcc()
    assert isinstance(found, EngineFact)
    assert read_bcc_version() == found.version
