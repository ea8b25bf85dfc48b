"""What a write to AWS changes, and what it leaves as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest

from cutover.aws.hold import hold_name
from cutover.aws.live import Live
from cutover.aws.writes import WriteError, Writes, weighted
from cutover.rules.move import Hold
from rehearsal.cloud.targets import Targets
from tests.cutover.tagged import OWNER, Tagged, reach, tagged
from tests.rehearsal.emulated import REGION, Cloud, running

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

OLD, NEW = "v1-35", "v1-36"
HOLD = Hold({"web": {OLD: 100, NEW: 0}}, "sre", "errors", "2026-11-24T03:00Z")


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Cloud]:
    with running(tmp_path) as one:
        reach(one, monkeypatch)
        yield one


@pytest.fixture
def stack(cloud: Cloud) -> Generator[Tagged]:
    with tagged(cloud, ["web", "api"], {OLD: 50, NEW: 50}) as one:
        yield one


@pytest.fixture
def writes(cloud: Cloud) -> Writes:
    assert cloud
    return Writes(boto3.Session(region_name=REGION), OWNER, {"team": "shop"})


def _all_on_old(stack: Tagged) -> dict[str, dict[str, int]]:
    return {arn: {stack.groups[route, OLD]: 100, stack.groups[route, NEW]: 0} for route, arn in stack.rules.items()}


def test_only_the_weights_of_a_rule_change(stack: Tagged, writes: Writes) -> None:
    elb = stack.cloud.client("elbv2")
    group = stack.groups["web", OLD]
    sticky = {"Enabled": True, "DurationSeconds": 600}
    login = {
        "Type": "authenticate-oidc",
        "Order": 1,
        "AuthenticateOidcConfig": {
            "Issuer": "https://login.example.com",
            "AuthorizationEndpoint": "https://login.example.com/a",
            "TokenEndpoint": "https://login.example.com/t",
            "UserInfoEndpoint": "https://login.example.com/u",
            "ClientId": "us",
            "ClientSecret": "shared",
        },
    }
    forward = {
        "Type": "forward",
        "Order": 2,
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": stack.groups["web", NEW], "Weight": 60},
                {"TargetGroupArn": group, "Weight": 40},
            ],
            "TargetGroupStickinessConfig": sticky,
        },
    }
    certificate = stack.cloud.client("acm").request_certificate(DomainName="a.example.com", ValidationMethod="DNS")
    encrypted = [{"CertificateArn": certificate["CertificateArn"]}]
    elb.modify_listener(ListenerArn=stack.cloud.listener, Protocol="HTTPS", Certificates=encrypted)
    elb.modify_rule(RuleArn=stack.rules["web"], Actions=[login, forward])
    assert not writes.set_weights(_all_on_old(stack)).failed
    (rule,) = elb.describe_rules(RuleArns=[stack.rules["web"]])["Rules"]
    assert [action["Type"] for action in rule["Actions"]] == ["authenticate-oidc", "forward"]
    after = rule["Actions"][1]["ForwardConfig"]
    assert after["TargetGroups"] == [
        {"TargetGroupArn": stack.groups["web", NEW], "Weight": 0},
        {"TargetGroupArn": group, "Weight": 100},
    ]
    assert after["TargetGroupStickinessConfig"] == sticky


def test_a_login_keeps_the_secret_that_aws_never_tells() -> None:
    (action,) = weighted([{"Type": "authenticate-oidc", "AuthenticateOidcConfig": {"ClientId": "us"}}], {})
    assert action["AuthenticateOidcConfig"]["UseExistingClientSecret"] is True


def test_what_has_its_weights_already_is_not_written(stack: Tagged, writes: Writes) -> None:
    assert set(writes.set_weights(_all_on_old(stack)).moved) == set(stack.rules.values())
    stack.cloud.fault("ModifyRule", code="AccessDenied", message="no", remaining=100)
    assert writes.set_weights(_all_on_old(stack)).failed == {}


def test_a_rule_that_aws_refuses_leaves_the_others_moved_and_is_named(stack: Tagged, writes: Writes) -> None:
    stack.cloud.fault("ModifyRule", code="AccessDenied", message="not allowed", status=403)
    outcome = writes.set_weights(_all_on_old(stack))
    assert len(outcome.moved) == 1
    assert ["not allowed" in said for said in outcome.failed.values()] == [True]


def test_a_throttled_write_is_made_again(stack: Tagged, writes: Writes) -> None:
    stack.cloud.fault("ModifyRule", code="Throttling", message="Rate exceeded", remaining=2)
    assert not writes.set_weights(_all_on_old(stack)).failed
    assert {tuple(weights.values()) for weights in stack.weights().values()} == {(100, 0)}


def test_a_rule_that_is_gone_is_named_and_the_others_move(stack: Tagged, writes: Writes) -> None:
    stack.cloud.client("elbv2").delete_rule(RuleArn=stack.rules["web"])
    outcome = writes.set_weights(_all_on_old(stack))
    assert (outcome.moved, set(outcome.failed)) == ((stack.rules["api"],), {stack.rules["web"]})


def test_targets_that_were_drained_can_be_registered_again(stack: Tagged, writes: Writes) -> None:
    group, nodes = stack.groups["web", OLD], {stack.cloud.node(), stack.cloud.node()}
    for node in nodes:
        Targets(stack.cloud.store).register(group, [(node, 30080, "")])
        Targets(stack.cloud.store).set_state(group, node, 30080, "healthy")
    targets = writes.registered([group])
    assert {one["Id"] for one in targets[group]} == nodes
    writes.drain(targets)
    assert (writes.registered([group]), writes.draining([group])) == ({group: []}, 2)
    writes.register(targets)
    assert (writes.registered([group]), writes.draining([group])) == (targets, 0)


def test_a_hold_is_read_back_replaced_and_lifted_twice(cloud: Cloud, writes: Writes) -> None:
    assert cloud
    live = Live(boto3.Session(region_name=REGION), OWNER)
    writes.hold(HOLD)
    assert live.hold() == HOLD
    writes.hold(Hold({}, "another", "", ""))
    assert (live.hold() or HOLD).who == "another"
    writes.release()
    writes.release()
    assert live.hold() is None


def test_a_hold_is_tagged_as_all_that_is_made_and_left_without_where_tags_alone_are_denied(
    cloud: Cloud, writes: Writes
) -> None:
    ssm, live = cloud.client("ssm"), Live(boto3.Session(region_name=REGION), OWNER)

    def tags() -> dict[str, str]:
        told = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=hold_name(OWNER))["TagList"]
        return {tag["Key"]: tag["Value"] for tag in told}

    writes.hold(HOLD)
    assert tags() == {"team": "shop"}
    writes.hold(Hold({}, "another", "", ""))
    assert tags() == {"team": "shop"}
    writes.release()
    denied = {"service": "ssm", "code": "AccessDeniedException"}
    cloud.fault("PutParameter", **denied, message="ssm:AddTagsToResource")
    writes.hold(HOLD)
    assert live.hold() == HOLD
    assert tags() == {}
    cloud.fault("PutParameter", **denied, message="ssm:PutParameter", remaining=2)
    with pytest.raises(WriteError, match="ssm:PutParameter"):
        writes.hold(HOLD)


def test_a_target_that_cannot_be_registered_keeps_out_no_other(stack: Tagged, writes: Writes) -> None:
    group, other = stack.groups["web", OLD], stack.groups["api", OLD]
    gone, there = ({"Id": node, "Port": 30080} for node in ("i-00000000000000000", stack.cloud.node()))
    with pytest.raises(WriteError, match=r"^i-00000000000000000: .*"):
        writes.register({group: [gone, there], other: [there]})
    assert [list(stack.cloud.states(arn)) for arn in (group, other)] == [[there["Id"]], [there["Id"]]]
