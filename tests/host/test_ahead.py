"""Facts on their way: the engines' versions do not wait for the rest, and are asked for once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.support.samples import make_facts
from toolkit.errors import ToolkitError
from toolkit.host import ahead, load_facts, probe
from toolkit.host.ahead import FactsAhead
from toolkit.host.engines import Asked, Missing
from toolkit.host.probe import Probed
from toolkit.model import Engine, EngineFact, Facts

ENGINE = EngineFact(name=Engine.BPFTRACE, version="0.17.1", argv=("/usr/bin/bpftrace",))
FACTS = msgspec.structs.replace(make_facts(), engines=(ENGINE,), missing_engines={"bcc": "it is not here"})


class Host:
    """A host that answers for its engines at once, and for everything else when it may."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.bpftrace: EngineFact | Missing = ENGINE
        self.asked = 0

    def ask_engines(self, pool: Executor) -> Asked:
        self.asked += 1
        return {
            Engine.BPFTRACE: pool.submit(lambda: self.bpftrace),
            Engine.BCC: pool.submit(lambda: Missing("it is not here")),
        }

    def probe(self, _: object, engines: Asked | None, kernel: Callable[[], Facts] | None) -> Probed:
        assert self.may_answer.wait(30)
        assert engines is not None
        assert engines[Engine.BPFTRACE].result() == ENGINE
        assert kernel is not None
        return Probed(kernel(), settled=True)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    host = Host()
    monkeypatch.setattr(ahead, "ask_engines", host.ask_engines)
    monkeypatch.setattr(ahead, "read_bcc_version", lambda: "")
    monkeypatch.setattr(probe, "probe", host.probe)
    yield host
    host.may_answer.set()


def test_versions_are_known_before_the_other_facts(host: Host, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as asking, ThreadPoolExecutor(2) as engines:
        facts = FactsAhead(tmp_path / "facts.msgpack", asking, engines, lambda: FACTS)
        assert [facts.version(one) for one in (Engine.BPFTRACE, Engine.BCC)] == [(0, 17, 1), ()]
        host.may_answer.set()
        assert facts.result() == FACTS
        assert facts.version(Engine.NATIVE) == ()  # only all facts tell that one


def test_facts_that_are_kept_start_no_engine(host: Host, tmp_path: Path) -> None:
    host.may_answer.set()
    for _ in range(2):
        with ThreadPoolExecutor(1) as asking, ThreadPoolExecutor(2) as engines:
            facts = FactsAhead(tmp_path / "facts.msgpack", asking, engines, lambda: FACTS)
            assert facts.version(Engine.BPFTRACE) == (0, 17, 1)
            assert facts.result().engines == (ENGINE,)
    assert host.asked == 1
    assert load_facts(tmp_path / "facts.msgpack").engines == (ENGINE,)


def test_an_engine_that_is_slow_tonight_is_not_one_that_is_gone(host: Host) -> None:
    host.bpftrace = Missing("/usr/bin/bpftrace did not answer within 5 s", passing=True)
    with ThreadPoolExecutor(1) as asking, ThreadPoolExecutor(2) as engines:
        facts = FactsAhead(None, asking, engines, lambda: FACTS)
        with pytest.raises(ToolkitError, match="is not known: /usr/bin/bpftrace did not answer"):
            facts.version(Engine.BPFTRACE)
        host.may_answer.set()


def test_the_version_of_bcc_is_read_where_it_says_so(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "read_bcc_version", lambda: "0.31.0")
    with ThreadPoolExecutor(1) as asking, ThreadPoolExecutor(2) as engines:
        facts = FactsAhead(tmp_path / "facts.msgpack", asking, engines, lambda: FACTS)
        assert facts.version(Engine.BCC) == (0, 31, 0)  # although nothing has answered, and it cannot be imported
        host.may_answer.set()
        facts.result()
        assert facts.version(Engine.BCC) == (0, 31, 0)
