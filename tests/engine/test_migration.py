"""The whole migration of both stack files, and clusters whose API is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cutover.run import LISTENER_RULE, watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.kubernetes.cluster import set_reachable
from rehearsal.migration import Rehearsal
from rehearsal.sandbox import Sandbox
from tests.engine.policies import denied
from tests.engine.standing import Standing

if TYPE_CHECKING:
    from rehearsal.engine import Engine
    from rehearsal.stackfile import Config


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
)
_SHORTER = (
    *_SHORT,
    "everything in a quiet hour",
    "v1-36 dies at 1 and is asked for everything",
    "back from the dead 1",
    "v1-36 at 10",
    "back at night, both small",
    "back from 100",
    "v1-36 at 100 again",
)


# The second stack takes fewer steps: what each touches is asked of both, what happens in between of one.
@pytest.mark.parametrize(("stack", "but"), [("dev", _SHORT), ("prod", _SHORTER)])
def test_every_act_of_a_migration_touches_what_it_may_and_loses_no_request(
    pulumi_engine: Engine, stack: str, but: tuple[str, ...]
) -> None:
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES, world=True) as sandbox:
        # Slower than `make rehearse`, which both cores of a small machine are busy with.
        outcomes = list(Rehearsal(sandbox, stack, rate=60.0, hold=2.0).play(but))
        assert [(outcome.title, outcome.faults) for outcome in outcomes if outcome.faults] == []
        assert outcomes[-1].title == "v1-35 retired"
        assert sandbox.aws("eks").list_clusters()["clusters"] == [f"{stack}-v1-36"]
        groups = sandbox.aws("elbv2").describe_target_groups()["TargetGroups"]
        assert {"v1-35" in group["TargetGroupName"] for group in groups} == {False}
        assert denied(sandbox) == []


@pytest.mark.parametrize("standing", ["dev"], indirect=True)
def test_a_shift_works_while_a_cluster_cannot_be_reached(standing: Standing) -> None:
    """The one that is left is dead, which is why it is left."""
    store, dead = standing.sandbox.store, f"{standing.name}-v1-35"
    set_reachable(store, dead, reachable=False)
    try:
        run = standing.up(_all_on_the_new)
        assert not run.failure
        assert {step.name for step in run.steps if step.type == LISTENER_RULE} == {
            f"{route}-weighted" for route in standing.config["eks-cutover:routes"]
        }
    finally:
        set_reachable(store, dead, reachable=True)
        assert not standing.up().failure


def test_a_cluster_without_a_mesh_whose_api_is_dead_can_be_retired_by_a_plain_update(pulumi_engine: Engine) -> None:
    """One with a mesh needs a word more, which test_retire.py has."""
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES) as sandbox:
        standing = Standing(sandbox, "prod", sandbox.stack("prod"))
        assert not standing.up(_all_on_the_new).failure
        set_reachable(sandbox.store, "prod-v1-35", reachable=False)
        with standing.edited(_without_the_old):
            assert not watch(standing.stack.up).failure
            assert watch(standing.stack.preview).steps == ()
        assert sandbox.aws("eks").list_clusters()["clusters"] == ["prod-v1-36"]


def _all_on_the_new(config: Config) -> None:
    config["eks-cutover:weights"] = {"v1-35": 0, "v1-36": 100}
    config["eks-cutover:clusters"]["v1-35"]["deletionProtection"] = False


def _without_the_old(config: Config) -> None:
    config["eks-cutover:weights"] = {"v1-36": 100}
    del config["eks-cutover:clusters"]["v1-35"]
