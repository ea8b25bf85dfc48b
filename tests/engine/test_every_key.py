"""A stack file with every key of a real account: it comes up, stays as it is, and an edit does what its table says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cutover.engine.run import watch
from cutover.rules.judgement import touched, violations
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.engine.sandbox import Sandbox
from rehearsal.play import stackfile
from tests.engine.standing import Standing
from tests.every_key import BATCH, every_key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rehearsal.engine import executable
    from rehearsal.play.stackfile import Config

_OLD, _NEW = "v1-35", "v1-36"


@pytest.fixture(scope="module")
def every(pulumi_engine: executable.Engine) -> Generator[Standing]:
    """Return the stack, as it stands."""
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES) as sandbox:
        stackfile.edit(sandbox.project, "prod", lambda config: config.update(every_key()))
        standing = Standing(sandbox, "prod", sandbox.stack("prod"))
        run = watch(standing.stack.up)
        assert not run.failure
        standing.heal(4)
        yield standing


def _nodes(cluster: str = _NEW, **changes: Any) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:clusters"][cluster]["nodes"].update(changes)


def _addon(**changes: Any) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:clusters"][_NEW]["addons"]["aws-ebs-csi-driver"].update(changes)


def test_nothing_changes_by_itself_and_a_shift_beside_all_of_it_is_one_update_a_route(every: Standing) -> None:
    def shift(config: Config) -> None:
        config["eks-cutover:weights"] = {"v1-35": 90, "v1-36": 10}

    assert not every.preview().steps
    run = every.preview(shift)
    assert (run.failure, {step.name for step in run.steps}) == ("", {"web-weighted", "orders-weighted"})


@pytest.mark.parametrize(
    ("edit", "does"),
    [
        (_nodes(batch={**BATCH, "labels": {"pool": "other"}, "taints": []}), {("update", "v1-36-nodes-batch")}),
        (_nodes(extra=BATCH), {("create", "v1-36-nodes-extra"), ("create", "v1-36-nodes-extra-launchTemplate")}),
        (_addon(version="v1.55.0-eksbuild.1"), {("update", "v1-36-aws-ebs-csi-driver")}),
        (_addon(configuration={"controller": {"replicaCount": 3}}), {("update", "v1-36-aws-ebs-csi-driver")}),
    ],
)
def test_an_edit_does_what_its_table_says(
    every: Standing, edit: Callable[[Config], None], does: set[tuple[str, str]]
) -> None:
    run = every.preview(edit)
    assert not run.failure
    assert {(step.op, step.name) for step in touched(run)} == does


def test_a_group_of_a_cluster_that_serves_leaves_once_it_is_empty(every: Standing) -> None:
    def gone(config: Config) -> None:
        del config["eks-cutover:clusters"][_OLD]["nodes"]["batch"]

    assert "protected" in every.preview(gone).failure
    emptied = every.up(_nodes(_OLD, batch={**BATCH, "desiredSize": 0}))
    assert (emptied.failure, [step.name for step in touched(emptied)]) == ("", ["v1-35-nodes-batch"])
    assert violations(emptied, {_OLD}) == []
    leaves = every.preview(gone)
    assert not leaves.failure
    assert {(step.op, step.name) for step in touched(leaves)} == {
        ("delete", "v1-35-nodes-batch"),
        ("delete", "v1-35-nodes-batch-launchTemplate"),
    }
    assert violations(leaves, {_OLD}) == []
    assert not every.up().failure
