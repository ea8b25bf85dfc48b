"""The judgement of a pull request as its workflows make it: the guard, and the daily look for drift."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rehearsal.__main__ import PROGRAM
from rehearsal.cloud.kubernetes.cluster import set_reachable

if TYPE_CHECKING:
    from rehearsal.play.stackfile import Config
    from tests.engine.standing import Standing


pytestmark = pytest.mark.parametrize("standing", ["dev"], indirect=True)


_LEAST_THAT_THE_ENGINE_WAITS = 72  # seconds: for version, schema, two bindings and two of the mesh, 12 each


def _half(config: Config) -> None:
    config["eks-cutover:weights"] = {"v1-35": 50, "v1-36": 50}


@pytest.mark.parametrize("silent", [False, True])
def test_a_shift_is_judged_for_a_pull_request_also_beside_a_silent_cluster(standing: Standing, *, silent: bool) -> None:
    begin = time.monotonic()
    set_reachable(standing.sandbox.store, "dev-v1-35", reachable=not silent, silent=silent)
    try:
        with standing.edited(_half):
            answer = standing.sandbox.cutover("guard", "-s", standing.name)
    finally:
        set_reachable(standing.sandbox.store, "dev-v1-35", reachable=True)
    assert (answer.returncode, answer.stdout.count(" → 50")) == (0, 4)
    assert f"## {standing.name}: shift" in answer.stdout
    assert ("The Kubernetes API of v1-35 does not answer" in answer.stdout) is silent
    assert time.monotonic() - begin < _LEAST_THAT_THE_ENGINE_WAITS


def test_an_edit_of_a_cluster_is_a_build_of_what_aws_sees_and_of_no_component(standing: Standing) -> None:
    def edit(config: Config) -> None:
        cluster = config["eks-cutover:clusters"]["v1-36"]
        cluster["logTypes"] = ["api"]
        cluster["nodes"]["maxSize"] += 1
        cluster["addons"]["coredns"] = "v1.13.2-eksbuild.1"

    run = standing.preview(edit)
    components = {"eks:index:Cluster", "eks:index:ManagedNodeGroup", "eks:index:Addon"}
    parts = {"aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup", "aws:eks/addon:Addon"}
    assert {(step.op, step.type) for step in run.steps} == {("update", kind) for kind in components | parts}
    with standing.edited(edit):
        answer = standing.sandbox.cutover("guard", "-s", standing.name)
    assert f"## {standing.name}: build" in answer.stdout
    assert "v1-36-eksCluster" in answer.stdout
    assert answer.stdout.count("v1-36-coredns") == 1, "the component of that name is no step of its own"


def test_the_daily_check_finds_a_weight_that_somebody_else_has_moved(standing: Standing) -> None:
    check = _daily_check(standing)
    assert standing.sandbox.pulumi(*check).returncode == 0
    elb = standing.sandbox.aws("elbv2")
    rule = next(rule for rule in standing.rules() if len(_groups(rule)) > 1)
    before = [dict(group) for group in _groups(rule)]
    for group in _groups(rule):
        group["Weight"] = 500
    elb.modify_rule(RuleArn=rule["RuleArn"], Actions=rule["Actions"])
    try:
        answer = standing.sandbox.pulumi(*check)
        assert answer.returncode != 0
        assert "1 to update" in answer.stdout
    finally:
        rule["Actions"][0]["ForwardConfig"]["TargetGroups"] = before
        elb.modify_rule(RuleArn=rule["RuleArn"], Actions=rule["Actions"])


def _daily_check(standing: Standing) -> list[str]:
    """Return the arguments with which the workflow calls the CLI."""
    workflow = yaml.safe_load((PROGRAM / ".github/workflows/drift.yml").read_text())
    command = workflow["jobs"]["drift"]["steps"][-1]["run"].replace("$STACK", standing.name)
    return shlex.split(command)[1:]


def _groups(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return rule["Actions"][0].get("ForwardConfig", {}).get("TargetGroups", [])
