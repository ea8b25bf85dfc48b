"""The emulated ELB API as its clients see it: targets and their health, limits, faults, and moto behind all else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from werkzeug.test import Client
from werkzeug.wrappers import Response

from rehearsal.cloud.api import FAULT, READS, Api
from rehearsal.cloud.bucket import Bucket
from rehearsal.cloud.session import INTERNAL_AGENT, PROVIDER_AGENT
from rehearsal.cloud.store import Store
from rehearsal.cloud.targets import Targets
from tests.rehearsal.emulated import REGION, ZONE, Cloud, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


def refused(operation: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        operation(**parameters)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_a_target_of_an_attached_group_is_initial_until_a_health_check_says_more(cloud: Cloud) -> None:
    group, node = cloud.group(), cloud.node()
    cloud.attach(group)
    cloud.client("elbv2").register_targets(TargetGroupArn=group, Targets=[{"Id": node, "Port": 31000}])
    assert cloud.health(group) == [
        {
            "Target": {"Id": node, "Port": 31000},
            "HealthCheckPort": "31000",
            "TargetHealth": {
                "State": "initial",
                "Reason": "Elb.RegistrationInProgress",
                "Description": "Target registration is in progress",
            },
        }
    ]
    Targets(cloud.store).set_state(group, node, 31000, "healthy")
    assert cloud.health(group)[0]["TargetHealth"] == {"State": "healthy"}


def test_a_target_without_a_port_has_the_port_of_its_group(cloud: Cloud) -> None:
    group, node = cloud.group(HealthCheckPort="8080"), cloud.node()
    elb = cloud.client("elbv2")
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": node}])
    [described] = cloud.health(group, Targets=[{"Id": node}])
    assert (described["Target"], described["HealthCheckPort"]) == ({"Id": node, "Port": 30080}, "8080")
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": node}])
    assert cloud.states(group) == {node: "draining"}


def test_two_ports_of_one_node_are_two_targets_and_leave_one_by_one(cloud: Cloud) -> None:
    group, node = cloud.group(), cloud.node()
    cloud.attach(group)
    elb = cloud.client("elbv2")
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": node, "Port": 31000}, {"Id": node, "Port": 31001}])
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": node, "Port": 31000}])
    states = {one["Target"]["Port"]: one["TargetHealth"]["State"] for one in cloud.health(group)}
    assert states == {31000: "draining", 31001: "initial"}


def test_an_address_is_shown_with_its_zone(cloud: Cloud) -> None:
    group = cloud.group("ip")
    target = {"Id": "127.0.1.1", "Port": 8080, "AvailabilityZone": ZONE}
    cloud.client("elbv2").register_targets(TargetGroupArn=group, Targets=[target])
    assert [one["Target"] for one in cloud.health(group)] == [target]


def test_targets_are_unused_until_a_rule_has_their_group_be_it_with_weight_zero(cloud: Cloud) -> None:
    group, node = cloud.group(), cloud.node()
    elb = cloud.client("elbv2")
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": node}])
    assert cloud.health(group)[0]["TargetHealth"] == {
        "State": "unused",
        "Reason": "Target.NotInUse",
        "Description": "Target group is not configured to receive traffic from the load balancer",
    }
    rule = cloud.attach(group, weight=0)
    assert cloud.states(group) == {node: "initial"}
    elb.delete_rule(RuleArn=rule)
    assert cloud.states(group) == {node: "unused"}


def test_the_default_action_of_a_listener_attaches_a_group_too(cloud: Cloud) -> None:
    group, node = cloud.group(), cloud.node()
    elb = cloud.client("elbv2")
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": node}])
    before = elb.describe_listeners(ListenerArns=[cloud.listener])["Listeners"][0]["DefaultActions"]
    elb.modify_listener(ListenerArn=cloud.listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    assert cloud.states(group) == {node: "initial"}
    elb.modify_listener(ListenerArn=cloud.listener, DefaultActions=before)
    assert cloud.states(group) == {node: "unused"}


def test_a_target_drains_for_the_delay_of_its_group(cloud: Cloud) -> None:
    group, node = cloud.group(), cloud.node()
    cloud.attach(group)
    elb = cloud.client("elbv2")
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "120"}
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": node}])
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": node}])
    assert cloud.health(group)[0]["TargetHealth"] == {
        "State": "draining",
        "Reason": "Target.DeregistrationInProgress",
        "Description": "Target deregistration is in progress",
    }
    [target] = Targets(cloud.store).of(group)
    assert target.until == pytest.approx(target.since + 120)
    delay["Value"] = "0"
    other = cloud.group()
    elb.modify_target_group_attributes(TargetGroupArn=other, Attributes=[delay])
    elb.register_targets(TargetGroupArn=other, Targets=[{"Id": node}])
    elb.deregister_targets(TargetGroupArn=other, Targets=[{"Id": node}])
    assert cloud.health(other) == []


def test_a_target_that_is_asked_for_and_not_registered_is_unused(cloud: Cloud) -> None:
    group = cloud.group("ip")
    cloud.attach(group)
    assert cloud.health(group, Targets=[{"Id": "127.0.1.9", "Port": 80}])[0]["TargetHealth"] == {
        "State": "unused",
        "Reason": "Target.NotRegistered",
        "Description": "Target is not registered to the target group",
    }


def test_taking_out_a_target_that_is_not_there_succeeds_as_aws_promises(cloud: Cloud) -> None:
    group = cloud.group("ip")
    cloud.client("elbv2").deregister_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.1.9", "Port": 80}])
    assert cloud.health(group) == []


def test_the_waiters_of_the_sdk_understand_the_answers(cloud: Cloud) -> None:
    group, node = cloud.group(), cloud.node()
    cloud.attach(group)
    elb = cloud.client("elbv2")
    once = {"Delay": 0, "MaxAttempts": 1}
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": node}])
    with pytest.raises(WaiterError):
        elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig=once)
    Targets(cloud.store).set_state(group, node, 30080, "healthy")
    elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig=once)
    elb.get_waiter("target_deregistered").wait(TargetGroupArn=group, Targets=[{"Id": cloud.node()}], WaiterConfig=once)


def test_a_missing_group_and_a_name_that_is_no_arn_are_told_apart(cloud: Cloud) -> None:
    elb = cloud.client("elbv2")
    arn = f"{cloud.group().rpartition(':')[0]}:targetgroup/gone/1"
    for operation in (elb.register_targets, elb.deregister_targets, elb.describe_target_health):
        gone = refused(operation, TargetGroupArn=arn, Targets=[{"Id": "127.0.1.1"}])
        assert gone == ("TargetGroupNotFound", f"Target groups '{arn}' not found")
    theirs = f"arn:aws:elasticloadbalancing:{REGION}:123456789012:targetgroup/gone/1"
    assert refused(elb.describe_target_health, TargetGroupArn=theirs)[0] == "AccessDenied"
    wrong = refused(elb.describe_target_health, TargetGroupArn="web")
    assert wrong == ("ValidationError", "'web' is not a valid target group ARN")


def test_what_is_no_target_of_the_group_is_refused(cloud: Cloud) -> None:
    elb, nodes, addresses, node = cloud.client("elbv2"), cloud.group(), cloud.group("ip"), cloud.node()

    def register(group: str, target: dict[str, Any]) -> tuple[str, str]:
        return refused(elb.register_targets, TargetGroupArn=group, Targets=[target])

    assert register(nodes, {"Id": "127.0.1.1"}) == ("ValidationError", "Instance ID '127.0.1.1' is not valid")
    assert register(nodes, {"Id": node, "AvailabilityZone": ZONE})[0] == "ValidationError"
    assert register(nodes, {"Id": "i-0123456789abcdef0"}) == (
        "InvalidTarget",
        "The following targets are not in a running state and cannot be registered: 'i-0123456789abcdef0'",
    )
    assert register(addresses, {"Id": node}) == (
        "ValidationError",
        f"The IP address '{node}' is not a valid IPv4 address",
    )
    assert cloud.health(nodes) == cloud.health(addresses) == []


def test_one_impossible_target_registers_none_of_the_call(cloud: Cloud) -> None:
    group, node = cloud.group(), cloud.node()
    both = [{"Id": node}, {"Id": "i-0123456789abcdef0"}]
    refused(cloud.client("elbv2").register_targets, TargetGroupArn=group, Targets=both)
    assert cloud.health(group) == []


def test_a_deleted_group_takes_its_targets_along_and_one_in_use_keeps_them(cloud: Cloud) -> None:
    group, node = cloud.group(), cloud.node()
    elb = cloud.client("elbv2")
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": node}])
    rule = cloud.attach(group)
    assert refused(elb.delete_target_group, TargetGroupArn=group)[0] == "ResourceInUse"
    assert group in Targets(cloud.store).groups()
    elb.delete_rule(RuleArn=rule)
    elb.delete_target_group(TargetGroupArn=group)
    assert group not in Targets(cloud.store).groups()


def test_a_fault_hits_so_many_calls_after_so_many_and_is_over(cloud: Cloud) -> None:
    group, elb = cloud.group(), cloud.client("elbv2", "somebody")
    cloud.fault("DescribeTargetHealth", after=1, remaining=2, status=403, code="AccessDenied", message="no")
    elb.describe_target_health(TargetGroupArn=group)
    for _ in range(2):
        assert refused(elb.describe_target_health, TargetGroupArn=group) == ("AccessDenied", "no")
    elb.describe_target_health(TargetGroupArn=group)
    assert cloud.store.all(FAULT) == {}


def test_a_fault_of_the_server_is_one_that_clients_retry(cloud: Cloud) -> None:
    cloud.fault("ModifyRule", status=500, code="InternalFailure", message="try again")
    group, elb = cloud.group(), cloud.client("elbv2", "somebody")
    rule = cloud.attach(group)
    with pytest.raises(ClientError) as caught:
        elb.modify_rule(RuleArn=rule, Actions=[{"Type": "forward", "TargetGroupArn": group}])
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert response["Error"]["Type"] == "Receiver"


def test_a_fault_hits_other_services_and_nothing_but_its_action(cloud: Cloud) -> None:
    fault = {"service": "servicediscovery", "action": "ListNamespaces", "status": 400, "remaining": 1}
    cloud.store.put(FAULT, "names", {**fault, "code": "ThrottlingException", "message": "slower"})
    names = cloud.client("servicediscovery", "somebody")
    names.list_services()
    assert refused(names.list_namespaces) == ("ThrottlingException", "slower")
    assert "Namespaces" in names.list_namespaces()


def test_faults_are_for_the_provider_and_not_for_the_parts_of_aws(cloud: Cloud) -> None:
    group = cloud.group()
    cloud.fault("DescribeTargetHealth", code="AccessDenied", message="no")
    assert cloud.health(group) == []
    provider = cloud.client("elbv2", PROVIDER_AGENT)
    assert refused(provider.describe_target_health, TargetGroupArn=group) == ("AccessDenied", "no")


def test_a_bucket_gives_its_size_at_once_and_then_its_refill() -> None:
    bucket = Bucket(*READS, 0.0)
    assert [bucket.take(0.0) for _ in range(41)] == [True] * 40 + [False]
    assert [bucket.take(0.5) for _ in range(6)] == [True] * 5 + [False]
    assert [bucket.take(1000.0) for _ in range(41)] == [True] * 40 + [False]


def test_calls_beyond_a_limit_are_throttled_and_those_of_aws_and_the_provider_are_not(tmp_path: Path) -> None:
    api = Api(Response("moto"), Store(tmp_path / "store.sqlite"), lambda: 0.0)

    def ask(action: str, *, agent: str = "somebody", service: str = "elasticloadbalancing") -> str:
        scope = f"AWS4-HMAC-SHA256 Credential=key/20260101/{REGION}/{service}/aws4_request"
        headers = {"Authorization": scope, "User-Agent": agent}
        return Client(api).post("/", data={"Action": action}, headers=headers).text

    assert [ask("DescribeRules") for _ in range(40)] == ["moto"] * 40
    assert "<Code>Throttling</Code><Message>Rate exceeded</Message>" in ask("DescribeRules")
    assert "Throttling" in ask("DescribeTargetHealth")
    assert "Throttling" not in ask("RegisterTargets") + ask("ModifyRule")
    assert ask("DescribeRules", agent=INTERNAL_AGENT) == ask("DescribeRules", agent=PROVIDER_AGENT) == "moto"
    assert ask("DescribeVpcs", service="ec2") == "moto"


def test_metrics_stay_with_moto(cloud: Cloud) -> None:
    watch = cloud.client("cloudwatch")
    watch.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=[{"MetricName": "HealthyHostCount", "Value": 2}])
    assert watch.list_metrics(Namespace="AWS/ApplicationELB")["Metrics"][0]["MetricName"] == "HealthyHostCount"


def test_a_load_balancer_has_the_groups_of_a_changed_rule_and_no_longer_those_that_it_left(cloud: Cloud) -> None:
    left, joined = cloud.group(), cloud.group()
    rule, elb = cloud.attach(left), cloud.client("elbv2")
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": joined, "Weight": 1}]}}
    elb.modify_rule(RuleArn=rule, Actions=[action])
    balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    own = {g["TargetGroupArn"] for g in elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"]}
    assert (left in own, joined in own) == (False, True)


def test_a_target_may_drain_for_an_hour_and_no_longer(cloud: Cloud) -> None:
    group, key, elb = cloud.group(), "deregistration_delay.timeout_seconds", cloud.client("elbv2")
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[{"Key": key, "Value": "3600"}])
    attributes = elb.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    assert {"Key": key, "Value": "3600"} in attributes
    longer = [{"Key": key, "Value": "3601"}]
    code, _ = refused(elb.modify_target_group_attributes, TargetGroupArn=group, Attributes=longer)
    assert code == "ValidationError"
