"""What serves cannot be taken away, in a preview, in an update, or in a destroy."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.play.stackfile import Config
    from tests.engine.standing import Standing


def _without_the_old(config: Config) -> None:
    del config["eks-cutover:clusters"]["v1-35"]
    config["eks-cutover:weights"] = {"v1-36": 100}


def _all_on_the_new(config: Config) -> None:
    config["eks-cutover:weights"] = {"v1-35": 0, "v1-36": 100}


def _web_not_live(config: Config) -> None:
    config["eks-cutover:routes"]["web"]["live"] = False


def _without_web(config: Config) -> None:
    del config["eks-cutover:routes"]["web"]


@pytest.mark.parametrize(
    ("standing", "edit"),
    [("dev", _without_the_old), ("dev", _web_not_live), ("dev", _without_web), ("prod", _without_the_old)],
    indirect=["standing"],
)
def test_what_serves_cannot_be_removed_by_an_edit(standing: Standing, edit: Callable[[Config], None]) -> None:
    before = _groups_and_rules(standing)
    with standing.edited(edit):
        refused = standing.sandbox.pulumi("up", "--yes", "-s", standing.name)
    assert refused.returncode != 0
    assert "because it is protected" in refused.stdout or "the gate refuses" in refused.stdout
    assert _groups_and_rules(standing) == before


def test_a_destroy_is_refused_while_something_serves(standing: Standing) -> None:
    before = _groups_and_rules(standing)
    answer = standing.sandbox.pulumi("destroy", "--yes", "-s", standing.name)
    assert answer.returncode != 0
    assert "delete hooks" in answer.stdout
    assert _groups_and_rules(standing) == before


@pytest.mark.parametrize("standing", ["dev"], indirect=True)
def test_an_update_that_skips_the_preview_deletes_nothing_that_served(standing: Standing) -> None:
    before, ports = _groups_and_rules(standing), _ingress(standing)
    run = standing.up(_without_the_old)
    assert "protect" in run.failure
    assert f"{standing.name}-v1-35" in standing.sandbox.aws("eks").list_clusters()["clusters"]
    assert {arn for arn in before if "targetgroup" in arn} <= _groups_and_rules(standing).keys()
    assert _ingress(standing) == ports
    assert not standing.up().failure
    assert _groups_and_rules(standing) == before


def test_the_update_to_weight_0_lifts_the_protection_of_the_cluster_that_no_longer_serves(standing: Standing) -> None:
    def left(config: Config) -> None:
        _all_on_the_new(config)
        config["eks-cutover:clusters"]["v1-35"]["deletionProtection"] = False

    run = standing.preview(left)
    assert not run.failure
    lifted = {step.name for step in run.kept}
    assert {"v1-35", "v1-35-nodes", "web-v1-35", "v1-35-coredns"} <= lifted
    assert not [name for name in lifted if name.endswith("-weighted")]


@pytest.mark.parametrize("standing", ["prod"], indirect=True)  # the one with deletion protection
def test_a_cluster_under_deletion_protection_is_refused_in_the_preview_although_it_serves_nothing(
    standing: Standing,
) -> None:
    def kept(config: Config) -> None:
        _all_on_the_new(config)
        config["eks-cutover:clusters"]["v1-35"]["deletionProtection"] = True

    assert not standing.up(kept).failure
    assert "protect" in standing.preview(_without_the_old).failure
    assert not standing.up().failure


@pytest.mark.parametrize("standing", ["dev"], indirect=True)
def test_a_route_that_left_can_come_back(standing: Standing) -> None:
    def with_another(config: Config) -> None:
        routes = config["eks-cutover:routes"]
        routes["extra"] = copy.deepcopy(routes["web"])
        routes["extra"].update(priority=3, hosts=["extra.example.com"], live=False)

    for edit in (with_another, lambda _: None, with_another, lambda _: None):
        assert not standing.up(edit).failure


def _ingress(standing: Standing) -> set[str]:
    rules = standing.sandbox.aws("ec2").describe_security_group_rules()["SecurityGroupRules"]
    return {rule["SecurityGroupRuleId"] for rule in rules if not rule["IsEgress"]}


def _groups_and_rules(standing: Standing) -> dict[str, str]:
    """Return every target group, and every rule with its actions, as the emulated AWS has them."""
    found = {group["TargetGroupArn"]: "" for group in standing.groups()}
    return found | {rule["RuleArn"]: json.dumps(rule["Actions"], sort_keys=True) for rule in standing.rules()}
