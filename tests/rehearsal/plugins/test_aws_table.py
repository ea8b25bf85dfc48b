"""What follows from the declaration of a type alone: defaults, names, plan errors, diffs and previews."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from rehearsal.cloud.refused import Props, Refused
from rehearsal.plugins.aws import inputs
from rehearsal.plugins.aws.difference import difference
from rehearsal.plugins.aws.inputs import bare, inputs_as_found
from rehearsal.plugins.aws.provider import TYPES
from rehearsal.plugins.aws.states import aligned, foreseen
from rehearsal.plugins.aws.table import Type
from rehearsal.plugins.plugin import UNKNOWN, Change, Diff, Resource
from tests.conftest import ROOT

RULE = TYPES["aws:lb/listenerRule:ListenerRule"]
GROUP = TYPES["aws:lb/targetGroup:TargetGroup"]
SECURITY_GROUP_RULE = TYPES["aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"]


def checked(kind: Type, given: Props, olds: Props | None = None, name: str = "web", seed: bytes = b"1") -> Props:
    resource = Resource(f"urn:pulumi:test::rehearsal::{kind.token}::{name}")
    return inputs.checked(kind, resource, olds or {}, given, seed)


def diff(kind: Type, old: Props, new: Props, state: Props | None = None) -> Diff:
    before = checked(kind, old)
    return difference(kind, before, state or bare(before), checked(kind, new, before))


def rule(**changes: Any) -> Props:
    given: Props = {
        "listenerArn": "listener",
        "priority": 1000,
        "conditions": [
            {"hostHeader": {"values": ["a.example.com", "b.example.com"]}},
            {"pathPattern": {"values": ["/*"]}},
        ],
        "actions": [
            {
                "type": "forward",
                "forward": {
                    "targetGroups": [{"arn": "old", "weight": 99}, {"arn": "new", "weight": 1}],
                    "stickiness": {"enabled": False, "duration": 1},
                },
            }
        ],
    }
    return {**given, **changes}


def weighted(*weights: tuple[str, Any]) -> Props:
    given = rule()
    given["actions"][0]["forward"]["targetGroups"] = [{"arn": arn, "weight": weight} for arn, weight in weights]
    return given


def group(**changes: Any) -> Props:
    return {"port": 80, "protocol": "HTTP", "vpcId": "vpc-1", "healthCheck": {"path": "/healthz"}, **changes}


def test_an_edit_of_one_weight_is_one_update_of_that_weight_and_nothing_else() -> None:
    edited = diff(RULE, rule(), weighted(("old", 99), ("new", 10)))
    assert edited == Diff((Change("actions[0].forward.targetGroups[1].weight", "update"),))


def test_target_groups_in_another_order_are_no_change() -> None:
    assert diff(RULE, rule(), weighted(("new", 1), ("old", 99))) == Diff()


def test_a_weight_that_changes_while_the_order_does_is_found_where_it_now_stands() -> None:
    edited = diff(RULE, rule(), weighted(("new", 7), ("old", 99)))
    assert edited == Diff((Change("actions[0].forward.targetGroups[0].weight", "update"),))


def test_a_target_group_that_joins_is_added_and_the_others_stay() -> None:
    edited = diff(RULE, rule(), weighted(("old", 99), ("third", 0), ("new", 1)))
    assert edited == Diff((Change("actions[0].forward.targetGroups[1]", "add"),))


def test_a_target_group_that_gives_place_to_another_at_its_index_is_one_update() -> None:
    edited = diff(RULE, rule(), weighted(("old", 99), ("third", 1)))
    assert edited == Diff((Change("actions[0].forward.targetGroups[1]", "update"),))


def test_conditions_and_their_values_in_another_order_are_no_change() -> None:
    conditions = [
        {"pathPattern": {"values": ["/*"]}},
        {"hostHeader": {"values": ["b.example.com", "a.example.com"]}},
    ]
    assert diff(RULE, rule(), rule(conditions=conditions)) == Diff()


def test_an_edited_host_is_found_by_its_path() -> None:
    conditions = copy.deepcopy(rule()["conditions"])
    conditions[0]["hostHeader"]["values"] = ["a.example.com", "c.example.com"]
    edited = diff(RULE, rule(), rule(conditions=conditions))
    assert [change.path for change in edited.changes] == ["conditions[0].hostHeader.values[1]"]


def test_only_another_listener_replaces_a_rule() -> None:
    assert diff(RULE, rule(), rule(listenerArn="other")).changes == (Change("listenerArn", "update", replace=True),)
    assert diff(RULE, rule(), rule(priority=7)).changes == (Change("priority", "update"),)


def test_a_rule_without_a_name_is_replaced_by_creating_first() -> None:
    assert not diff(RULE, rule(), rule(listenerArn="other")).delete_before_replace


def test_weights_that_are_left_out_count_as_one_and_a_second_check_changes_nothing() -> None:
    given = rule()
    given["actions"][0]["forward"]["targetGroups"] = [{"arn": "old"}, {"arn": "new"}]
    first = checked(RULE, given)
    groups = first["actions"][0]["forward"]["targetGroups"]
    assert [one["weight"] for one in groups] == [1, 1]
    assert groups[0]["__defaults"] == ["weight"]
    assert diff(RULE, given, given) == Diff()


def test_a_second_check_keeps_the_drawn_name() -> None:
    first = checked(GROUP, group(), seed=b"1")
    second = checked(GROUP, group(), olds=first, seed=b"2")
    assert first["name"].startswith("web-")
    assert len(first["name"]) == len("web-") + 7
    assert second["name"] == first["name"]
    assert difference(GROUP, first, {}, second) == Diff()


def test_one_run_draws_one_name_in_preview_and_up() -> None:
    assert checked(GROUP, group(), seed=b"run") == checked(GROUP, group(), seed=b"run")
    assert checked(GROUP, group(), seed=b"run")["name"] != checked(GROUP, group(), seed=b"next run")["name"]


def test_a_logical_name_of_25_characters_leaves_no_room_for_a_target_group() -> None:
    assert len(checked(GROUP, group(), name="r" * 24)["name"]) == 32
    with pytest.raises(Refused, match=r"name 'r{25}-' plus 7 random chars is longer than maximum length 32"):
        checked(GROUP, group(), name="r" * 25)


def test_a_given_name_makes_a_replacement_delete_first() -> None:
    assert diff(GROUP, group(name="fixed"), group(name="fixed", port=81)).delete_before_replace
    assert diff(GROUP, group(name="fixed"), group(name="other")).delete_before_replace
    assert not diff(GROUP, group(), group(port=81)).delete_before_replace
    assert not diff(GROUP, group(namePrefix="web"), group(namePrefix="web", port=81)).delete_before_replace
    assert not diff(GROUP, group(name="fixed"), group(name="fixed", slowStart=30)).delete_before_replace


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", 81), ("protocol", "HTTPS"), ("protocolVersion", "GRPC"), ("targetType", "ip"), ("vpcId", "vpc-2")],
)
def test_what_a_target_group_is_replaces_it(name: str, value: Any) -> None:
    edited = diff(GROUP, group(protocolVersion="HTTP1"), {**group(protocolVersion="HTTP1"), name: value})
    assert edited.changes == (Change(name, "update", replace=True),)


def test_how_a_target_group_behaves_changes_in_place() -> None:
    edited = diff(GROUP, group(), group(deregistrationDelay=15, healthCheck={"path": "/healthz", "interval": 5}))
    assert edited.changes == (
        Change("deregistrationDelay", "update"),
        Change("healthCheck.interval", "update"),
    )


def test_leaving_out_what_aws_computes_changes_nothing() -> None:
    assert diff(GROUP, group(loadBalancingAlgorithmType="weighted_random"), group()) == Diff()


def test_giving_what_aws_computed_already_changes_nothing() -> None:
    state = {**group(), "loadBalancingAlgorithmType": "round_robin"}
    assert diff(GROUP, group(), group(loadBalancingAlgorithmType="round_robin"), state) == Diff()
    assert diff(GROUP, group(), group(loadBalancingAlgorithmType="weighted_random"), state).changes == (
        Change("loadBalancingAlgorithmType", "update"),
    )


def test_another_kind_of_peer_replaces_a_security_group_rule_and_another_value_does_not() -> None:
    given = {"securityGroupId": "sg-1", "ipProtocol": "tcp", "fromPort": 80, "toPort": 80}
    by_cidr, by_group = {**given, "cidrIpv4": "10.0.0.0/8"}, {**given, "referencedSecurityGroupId": "sg-2"}
    assert all(change.replace for change in diff(SECURITY_GROUP_RULE, by_cidr, by_group).changes)
    edited = diff(SECURITY_GROUP_RULE, by_cidr, {**given, "cidrIpv4": "10.1.0.0/16"})
    assert edited.changes == (Change("cidrIpv4", "update"),)


def test_a_policy_document_is_compared_as_json() -> None:
    role = TYPES["aws:iam/role:Role"]
    assert diff(role, {"assumeRolePolicy": '{"a": 1, "b": 2}'}, {"assumeRolePolicy": '{"b":2,"a":1}'}) == Diff()
    assert diff(role, {"assumeRolePolicy": {"a": 1}}, {"assumeRolePolicy": '{"a": 1}'}) == Diff()


def test_an_attachment_is_always_replaced_by_deleting_first() -> None:
    kind = TYPES["aws:iam/rolePolicyAttachment:RolePolicyAttachment"]
    edited = diff(kind, {"role": "a", "policyArn": "p"}, {"role": "b", "policyArn": "p"})
    assert edited == Diff((Change("role", "update", replace=True),), delete_before_replace=True)


def test_removing_encryption_replaces_a_cluster_and_adding_it_does_not() -> None:
    kind = TYPES["aws:eks/cluster:Cluster"]
    plain = {"roleArn": "role", "vpcConfig": {"subnetIds": ["a", "b"]}}
    sealed = {**plain, "encryptionConfig": {"provider": {"keyArn": "key"}, "resources": ["secrets"]}}
    assert diff(kind, sealed, plain).changes == (Change("encryptionConfig", "delete", replace=True),)
    assert diff(kind, plain, sealed).changes == (Change("encryptionConfig", "add"),)


def test_a_new_version_changes_a_cluster_in_place() -> None:
    kind = TYPES["aws:eks/cluster:Cluster"]
    given = {"roleArn": "role", "version": "1.35", "vpcConfig": {"subnetIds": ["a", "b"]}}
    assert diff(kind, given, {**given, "version": "1.36"}).changes == (Change("version", "update"),)


def test_another_launch_template_version_changes_a_node_group_in_place_and_another_template_does_not() -> None:
    kind = TYPES["aws:eks/nodeGroup:NodeGroup"]
    scaling = {"minSize": 1, "desiredSize": 1, "maxSize": 1}
    given = {"clusterName": "c", "nodeRoleArn": "role", "scalingConfig": scaling, "subnetIds": ["a"]}
    first = {**given, "launchTemplate": {"id": "lt-1", "version": "1"}}
    edited = diff(kind, first, {**given, "launchTemplate": {"id": "lt-1", "version": "2"}})
    assert edited.changes == (Change("launchTemplate.version", "update"),)
    edited = diff(kind, first, {**given, "launchTemplate": {"id": "lt-2", "version": "1"}})
    assert edited.changes == (Change("launchTemplate.id", "update", replace=True),)
    assert diff(kind, given, first).changes == (Change("launchTemplate", "add", replace=True),)


def test_an_arn_that_is_not_known_yet_is_an_update_and_not_an_error() -> None:
    edited = diff(RULE, rule(), weighted((UNKNOWN, 1), ("old", 99)))
    assert {(change.path, change.kind) for change in edited.changes} == {
        ("actions[0].forward.targetGroups[0]", "add"),
        ("actions[0].forward.targetGroups[1]", "delete"),
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (weighted(("old", 1000)), r"targetGroups\[0\].weight to be in the range \(0 - 999\), got 1000"),
        (weighted(("old", -1)), r"targetGroups\[0\].weight to be in the range \(0 - 999\), got -1"),
        (weighted(*((str(index), 1) for index in range(6))), r"no more than 5 are allowed, got 6"),
        (rule(priority=50_001), r"in the range 1-50000 for normal rule or 99999 for the default rule, got 50001"),
        (rule(priority=0), r"in the range 1-50000"),
        (
            rule(
                actions=[
                    {
                        "type": "forward",
                        "forward": {"targetGroups": [{"arn": "a"}], "stickiness": {"duration": 604_801}},
                    }
                ]
            ),
            r"stickiness.duration to be in the range \(1 - 604800\), got 604801",
        ),
        (rule(actions=[{"type": "forward"}]), r'needs one of "targetGroupArn" or "forward"'),
        (rule(actions=[{"type": "redirect"}]), r'"redirect" needs "redirect"'),
        (rule(actions=[{"type": "send"}]), r"type to be one of"),
        (rule(conditions=[{}]), r"condition 0 must have exactly one of"),
        (
            rule(conditions=[{"httpHeader": {"httpHeaderName": "X Cluster", "values": ["new"]}}]),
            r"invalid value for conditions\[0\].httpHeader.httpHeaderName \(.*\): X Cluster",
        ),
        (
            rule(conditions=[{"httpHeader": {"httpHeaderName": "X-Cluster", "values": ["v" * 129]}}]),
            r"httpHeader.values to be in the range \(1 - 128\), got v",
        ),
        (
            rule(conditions=[{"sourceIp": {"values": ["10.0.0.0/16", "10.1.2.3/16"]}}]),
            r"conditions\[0\].sourceIp.values to be a network's own CIDR, got \"10.1.2.3/16\"",
        ),
        (rule(prioriy=1), r"knows no property 'prioriy'"),
        (rule(conditions=[{"pathPatern": {"values": ["/"]}}]), r"knows no property 'conditions\[0\].pathPatern'"),
        (rule(arn="arn"), r"knows no property 'arn'"),
    ],
)
def test_a_rule_that_the_provider_refuses_to_plan_is_refused(given: Props, words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        checked(RULE, given)
    assert str(refused.value).startswith("aws:lb/listenerRule:ListenerRule resource 'web' has a problem: ")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (group(name="r" * 33), r"name to be at most 32 characters long"),
        (group(name="-web"), r"no hyphen at either end"),
        (group(healthCheck={"interval": 1}), r"healthCheck.interval to be in the range \(5 - 300\)"),
        (group(healthCheck={"protocol": "TCP"}), r'cannot be "TCP"'),
        (group(slowStart=29), r"slowStart to be in the range \(30 - 900\)"),
        (
            group(slowStart=30, loadBalancingAlgorithmType="least_outstanding_requests"),
            r'"slowStart" cannot be set with',
        ),
        (group(deregistrationDelay=3601), r"deregistrationDelay to be in the range \(0 - 3600\)"),
        ({"port": 80, "protocol": "HTTP"}, r'attribute "vpcId" must be specified'),
    ],
)
def test_a_target_group_that_the_provider_refuses_to_plan_is_refused(given: Props, words: str) -> None:
    with pytest.raises(Refused, match=words):
        checked(GROUP, given)


def test_all_plan_errors_of_a_resource_come_at_once() -> None:
    with pytest.raises(Refused) as refused:
        checked(RULE, {**weighted(("old", 1000)), "priority": 0, "colour": "red"})
    assert str(refused.value).count("has a problem") == 3


def test_a_missing_argument_is_refused_with_its_name() -> None:
    with pytest.raises(Refused, match=r'missing required argument. The argument "listenerArn" is required'):
        checked(RULE, {name: value for name, value in rule().items() if name != "listenerArn"})


def test_what_is_not_known_yet_is_not_judged() -> None:
    assert checked(RULE, rule(actions=UNKNOWN))["actions"] == UNKNOWN
    assert checked(GROUP, group(vpcId=UNKNOWN))["vpcId"] == UNKNOWN


def test_a_preview_promises_the_inputs_and_leaves_open_what_aws_computes() -> None:
    promised = foreseen(GROUP.shape, {}, bare(checked(GROUP, group(name="web"))))
    assert promised["name"] == "web"
    assert promised["healthCheck"]["path"] == "/healthz"
    assert promised["healthCheck"]["timeout"] == UNKNOWN
    assert promised["arn"] == UNKNOWN
    assert promised["loadBalancingAlgorithmType"] == UNKNOWN


def test_a_preview_of_an_update_keeps_what_the_update_does_not_touch() -> None:
    state: Props = {**rule(), "arn": "arn", "region": "r", "tagsAll": {}}
    state["actions"][0]["order"] = 1
    promised = foreseen(RULE.shape, state, bare(checked(RULE, weighted(("old", 0), ("new", 1)))))
    assert promised["arn"] == "arn"
    assert promised["actions"][0]["order"] == 1
    assert [one["weight"] for one in promised["actions"][0]["forward"]["targetGroups"]] == [0, 1]


def test_a_read_takes_weights_from_out_there_and_their_order_from_the_program() -> None:
    inputs = checked(RULE, rule())
    found = {**bare(inputs), "actions": weighted(("new", 50), ("old", 50))["actions"]}
    found = aligned(RULE.shape, bare(inputs), found)
    groups = inputs_as_found(RULE.shape, inputs, found)["actions"][0]["forward"]["targetGroups"]
    assert [(one["arn"], one["weight"]) for one in groups] == [("old", 50), ("new", 50)]


def test_a_type_is_found_by_its_name() -> None:
    names = [re.sub("(?<!^)([A-Z])", r"_\1", token.split(":")[-1]).lower() for token in TYPES]
    files = [path.stem for path in (ROOT / "rehearsal/plugins/aws").glob("*/*.py") if "\nTYPE = " in path.read_text()]
    assert sorted(names) == sorted(files)
