"""The whole migration of both stack files; in one of them the API of the old cluster is dead at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.cloud.kubernetes.cluster import set_reachable
from rehearsal.engine.sandbox import Sandbox
from rehearsal.play.migration import Rehearsal
from rehearsal.play.outcome import Outcome
from tests.engine.policies import denied

if TYPE_CHECKING:
    from rehearsal.engine.executable import Engine

_HALF = "v1-36 at 50"
# What only repeats, with other numbers, is left to `make rehearse`.
_SHORT = (
    "back from 1",
    "v1-36 at 1 again",
    "back from 10",
    "back from 50",
    "v1-36 at 50 again",
    "v1-36 dies at 50",
    "the weights go back",
    "v1-36 at 50 at last",
    "back from 100",
    "v1-36 at 100 again",
)
_SHORTER = (
    *_SHORT,
    "everything in a quiet hour",
    "v1-36 dies at 1 and is asked for everything",
    "back from the dead 1",
    "v1-36 at 10",
    "back at night, both small",
)


# The second stack takes fewer steps: what each touches is asked of both, what happens in between of one. There the API
# of the old cluster dies before it is left, which may well be why; in one with a mesh test_retire.py lets it die.
@pytest.mark.parametrize(("stack", "but", "dies_after"), [("dev", _SHORT, ""), ("prod", _SHORTER, _HALF)])
def test_every_act_of_a_migration_touches_what_it_may_and_loses_no_request(
    pulumi_engine: Engine, stack: str, but: tuple[str, ...], dies_after: str
) -> None:
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES, world=True) as sandbox:
        outcomes = list[Outcome]()
        # Slower than `make rehearse`, which both cores of a small machine are busy with.
        for outcome in Rehearsal(sandbox, stack, rate=60.0, hold=2.0).play(but):
            outcomes.append(outcome)
            if outcome.title == dies_after:
                set_reachable(sandbox.store, f"{stack}-v1-35", reachable=False)
        assert [(outcome.title, outcome.faults) for outcome in outcomes if outcome.faults] == []
        assert dies_after in {"", *(outcome.title for outcome in outcomes[:-2])}
        assert outcomes[-1].title == "v1-35 retired"
        assert watch(sandbox.stack(stack).preview).steps == ()
        assert sandbox.aws("eks").list_clusters()["clusters"] == [f"{stack}-v1-36"]
        groups = sandbox.aws("elbv2").describe_target_groups()["TargetGroups"]
        assert {"v1-35" in group["TargetGroupName"] for group in groups} == {False}
        assert denied(sandbox) == []
