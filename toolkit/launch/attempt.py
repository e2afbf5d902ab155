"""One attempt to run a tool: what the policy says of it, and the line of the audit log that tells what became of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec
from msgspec.structs import replace

from toolkit.errors import CannotRun
from toolkit.launch.audit import SHAPE, Line, Person, list_groups, stamp, write_line
from toolkit.launch.policy import Decision, Policy, Request, decide
from toolkit.paths import Paths
from toolkit.runs import Plan


class Attempt:
    """What is known of it so far, so that a refusal at any point can be written down."""

    def __init__(self, paths: Paths, policy: Policy, person: Person, request: Request) -> None:
        self.policy = policy
        self.person = person
        self.request = request
        self.plan: Plan | None = None
        self.problem = ""  # why the log could not be written
        self._log = paths.audit
        self._groups: frozenset[str] | None = None
        self._decision = Decision(allowed=False, why="")

    def permit(self, variants: Iterable[str]) -> frozenset[str]:
        """Those of these variants that may run. Raises CannotRun when none may."""
        judged = {one: self._judge(one) for one in variants}
        permitted = frozenset(one for one, decision in judged.items() if decision.allowed)
        if judged and not permitted:
            self.decide(next(iter(judged)))
        return permitted

    def decide(self, variant: str) -> Decision:
        """What the policy says of this variant. Raises CannotRun when it may not run."""
        self.request = replace(self.request, variant=variant)
        self._decision = self._judge(variant)
        if not self._decision.allowed:
            raise CannotRun(self._decision.why, fix=self._decision.fix)
        return self._decision

    def _judge(self, variant: str) -> Decision:
        return decide(self.policy, replace(self.request, variant=variant), self._ask_groups)

    def _ask_groups(self) -> frozenset[str]:
        if self._groups is None:  # once: they may come over the network
            self._groups = list_groups(self.person.uid)
        return self._groups

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Write down the refusal that ends this block, if one does."""
        try:
            yield
        except CannotRun as error:
            self._write("refused", error.what)
            raise

    def allow(self, recording: str) -> None:
        """Write down that it may start. Raises CannotRun when the policy wants that written and it cannot be."""
        self._write("allowed", self._decision.why, recording)

    def _write(self, decision: str, why: str, recording: str = "") -> None:
        plan, request = self.plan, self.request
        line = Line(
            shape=SHAPE,
            time=stamp(),
            decision=decision,
            why=why,
            rule=self._decision.rule,
            person=self.person,
            tool=request.tool.name,
            variant=request.variant,
            arguments=request.arguments,
            argv=plan.argv if plan else (),
            limits=msgspec.structs.asdict(plan.limits) if plan else {},
            force=request.force,
            accepted=request.accepted,
            recording=recording,
            pid=os.getpid(),
        )
        self.problem = write_line(self._log, line, self.policy.audit)
