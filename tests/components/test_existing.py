"""What others made: it is looked up, and the stack declares target groups, rules, bindings and ways in, and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from settings.priorities import Places
from tests.conftest import LISTENER, Recorder, record_program, stack_config

_OWN_GROUPS = {"sg-00000001", "sg-00000002"}
_BLUE = {"existing": {"name": "prod-blue"}}
_OF_THE_STACK = (
    "aws:lb/targetGroup:TargetGroup",
    "aws:lb/listenerRule:ListenerRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding",
)


def _config(*, live: bool = True, **blue: Any) -> dict[str, Any]:
    config = stack_config("dev")
    web = {**config["eks-cutover:routes"]["web"], "live": live}
    return {
        "aws:region": config["aws:region"],
        "eks-cutover:loadBalancers": {
            "shared": {"existing": {"name": "shared-alb", "port": 443}, "rulePriorities": {"min": 100, "max": 300}}
        },
        "eks-cutover:clusters": {"blue": {**_BLUE, **blue}, "green": {"existing": {"name": "prod-green"}}},
        "eks-cutover:weights": {"blue": 100, "green": 0},
        "eks-cutover:routes": {"web": web},
    }


def _made(recorder: Recorder) -> set[str]:
    own = ("eks-cutover:", "pulumi:providers:")
    return {one.type for one in recorder.recorded if not one.type.startswith(own)}


def test_over_what_exists_the_stack_makes_groups_rules_bindings_and_ways_in_and_nothing_else() -> None:
    recorder = record_program(_config())
    assert _made(recorder) == set(_OF_THE_STACK)
    rules = recorder.of("ListenerRule")
    assert {one.inputs["listenerArn"] for one in rules.values()} == {LISTENER}
    assert {one.inputs["vpcId"] for one in recorder.of("TargetGroup").values()} == {"vpc-shared"}
    places = Places(100, 300)
    assert rules["web-weighted"].inputs["priority"] == places.weighted(1)
    assert rules["web-blue-preview"].inputs["priority"] == places.preview(1, "blue")
    for rule in rules.values():
        assert 100 <= rule.inputs["priority"] <= 300


def test_a_weighted_rule_that_another_answers_behind_is_the_gates_alone_to_let_go() -> None:
    rules = record_program(_config()).of("ListenerRule")
    assert not rules["web-weighted"].protect
    assert rules["web-blue-preview"].protect
    assert "web-weighted" not in record_program(_config(live=False)).of("ListenerRule")


@pytest.mark.parametrize(
    ("blue", "groups"),
    [
        ({}, {"sg-blue"}),
        ({"existing": {"name": "prod-blue", "targetSecurityGroupIds": sorted(_OWN_GROUPS)}}, _OWN_GROUPS),
        ({"securityGroupRules": "none"}, set()),
    ],
)
def test_load_balancers_are_let_into_the_groups_of_targets_where_the_stack_may(
    blue: dict[str, Any], groups: set[str]
) -> None:
    rules = record_program(_config(**blue)).of("SecurityGroupIngressRule")
    mine = [one for name, one in rules.items() if name.startswith("blue")]
    assert {one.inputs["securityGroupId"] for one in mine} == groups
    assert {one.inputs["referencedSecurityGroupId"] for one in mine} <= {"sg-a"}


def test_the_way_into_a_cluster_that_others_made_is_that_of_who_runs_this() -> None:
    provider = record_program(_config()).of("pulumi:providers:kubernetes")["blue"]
    config = json.loads(provider.inputs["kubeconfig"])
    assert config["clusters"][0]["cluster"]["server"] == "https://blue.eks.test"
    login = config["users"][0]["user"]["exec"]["args"]
    assert login == [
        "--region",
        "ap-northeast-1",
        "eks",
        "get-token",
        "--cluster-name",
        "prod-blue",
        "--output",
        "json",
    ]


def test_what_the_stack_installs_in_a_cluster_of_others_may_register_in_its_own_groups_alone() -> None:
    recorder = record_program(_config(loadBalancerController={"managedBy": "stack", "version": "3.5.0"}))
    assert [one.inputs["version"] for one in recorder.of("Release").values()] == ["3.5.0"]
    (policy,) = (json.loads(one.inputs["policy"]) for one in recorder.of("RolePolicy").values())
    own = {"aws:ResourceTag/eks-cutover:cluster": "blue"}
    assert own.items() <= policy["Statement"][1]["Condition"]["StringEquals"].items()


def test_in_auto_mode_bindings_are_of_its_kind_and_groups_are_tagged_so_that_it_may_empty_them() -> None:
    recorder = record_program(_config(loadBalancerController={"managedBy": "autoMode"}))
    bindings, groups = recorder.of("TargetGroupBinding"), recorder.of("TargetGroup")
    assert bindings["web-blue"].type == "kubernetes:eks.amazonaws.com/v1:TargetGroupBinding"
    assert bindings["web-green"].type == "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding"
    assert groups["web-blue"].inputs["tags"]["eks:eks-cluster-name"] == "prod-blue"
    assert "eks:eks-cluster-name" not in groups["web-green"].inputs["tags"]
    assert not recorder.of("Release")


def test_a_binding_has_the_fields_alone_that_the_crd_in_its_cluster_knows() -> None:
    bindings = record_program(_config(loadBalancerController={"crdLevel": "2.13"})).of("TargetGroupBinding")
    newer = bindings["web-green"].inputs["spec"]
    assert bindings["web-blue"].inputs["spec"].keys() == newer.keys() - {"targetGroupProtocol"}
    assert newer["targetGroupProtocol"] == "HTTP"


def test_where_gitops_applies_the_bindings_there_is_no_way_in_and_groups_have_names_for_good() -> None:
    recorder = record_program(_config(bindings={"applyBy": "gitops"}))
    assert "blue" not in recorder.of("pulumi:providers:kubernetes")
    assert set(recorder.of("TargetGroupBinding")) == {"web-green"}
    groups = recorder.of("TargetGroup")
    assert groups["web-blue"].inputs["name"] == "dev-web-blue"
    assert groups["web-blue"].delete_before_replace
    assert "name" not in groups["web-green"].inputs
    assert not groups["web-green"].delete_before_replace


_ELSEWHERE: dict[str, Any] = {
    "existing": {"name": "prod-blue", "assumeRole": "arn:aws:iam::222222222222:role/there"},
    "loadBalancerController": {
        "iamRoleArnToAssume": "arn:aws:iam::123456789012:role/targets",
        "assumeRoleExternalId": "prod",
    },
}


def test_a_cluster_in_another_account_is_read_and_entered_in_its_role_and_registers_in_that_of_its_bindings() -> None:
    recorder = record_program(_config(**_ELSEWHERE))
    there = recorder.of("pulumi:providers:aws")["aws-blue"]
    assert json.loads(there.inputs["assumeRoles"]) == [{"roleArn": _ELSEWHERE["existing"]["assumeRole"]}]
    assert {one.name for one in recorder.recorded if "::aws-blue::" in one.provider} == {
        name for name in recorder.of("SecurityGroupIngressRule") if name.startswith("blue")
    }
    config = json.loads(recorder.of("pulumi:providers:kubernetes")["blue"].inputs["kubeconfig"])
    assert config["users"][0]["user"]["exec"]["args"][-2:] == ["--role-arn", _ELSEWHERE["existing"]["assumeRole"]]
    bindings = recorder.of("TargetGroupBinding")
    assert _ELSEWHERE["loadBalancerController"].items() <= bindings["web-blue"].inputs["spec"].items()
    assert "iamRoleArnToAssume" not in bindings["web-green"].inputs["spec"]


def test_in_a_shared_vpc_a_load_balancers_group_is_named_with_its_account_and_in_another_vpc_its_ranges_are() -> None:
    def peers(**existing: Any) -> set[str | None]:
        named = {**_ELSEWHERE["existing"], **existing}
        rules = record_program(_config(existing=named, loadBalancerController=_ELSEWHERE["loadBalancerController"])).of(
            "SecurityGroupIngressRule"
        )
        mine = [one.inputs for name, one in rules.items() if name.startswith("blue")]
        return {one.get("referencedSecurityGroupId", one.get("cidrIpv4")) for one in mine}

    assert peers() == {"123456789012/sg-a"}
    assert peers(assumeRole="arn:aws:iam::123456789012:role/there") == {"sg-a"}
    assert peers(loadBalancerCidrs=["10.0.0.0/20", "10.0.16.0/20"]) == {"10.0.0.0/20", "10.0.16.0/20"}


def test_the_version_of_a_cluster_that_others_upgrade_is_read_live() -> None:
    exported = record_program(_config()).exports["clusters"]
    assert exported["blue"]["version"] == "1.33"
    assert exported["blue"]["name"] == "prod-blue"
