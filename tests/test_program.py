"""The whole program on mocks, for both stack files that ship: what must hold whatever the components are."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import warnings
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
import pytest

from settings.version import VERSION
from tests.conftest import PROJECT, UNKNOWN, Recorded, Recorder, record_program, stack_config

if TYPE_CHECKING:
    from collections.abc import Callable

STACKS = ("dev", "prod")
APP_MESH = ("Mesh", "VirtualNode", "VirtualService")


def _shift(config: dict[str, Any]) -> None:
    config[f"{PROJECT}:weights"] = {"v1-35": 0, "v1-36": 100}


def _third_cluster(config: dict[str, Any]) -> None:
    clusters = config[f"{PROJECT}:clusters"]
    clusters["v1-37"] = {**clusters["v1-36"], "version": "1.37"}
    config[f"{PROJECT}:weights"]["v1-37"] = 0


def _without_the_new_cluster(config: dict[str, Any]) -> None:
    del config[f"{PROJECT}:clusters"]["v1-36"]
    config[f"{PROJECT}:weights"] = {"v1-35": 100}


def _fourth_route(config: dict[str, Any]) -> None:
    routes = config[f"{PROJECT}:routes"]
    for priority, name in ((3, "docs"), (4, "admin")):
        routes[name] = {**routes["web"], "priority": priority, "hosts": [f"{name}.example.com"]}


def _own_weights(config: dict[str, Any]) -> None:
    config[f"{PROJECT}:weights"] = {"v1-35": 90, "v1-36": 10}
    config[f"{PROJECT}:routes"]["web"]["weights"] = {"v1-35": 1, "v1-36": 0}


EDITS: dict[str, Callable[[dict[str, Any]], None]] = {
    "as it ships": lambda _: None,
    "shifted": _shift,
    "with a third cluster": _third_cluster,
    "without the new cluster": _without_the_new_cluster,
    "with a fourth route": _fourth_route,
    "with weights of one route alone": _own_weights,
}


def _config(stack: str, edit: str) -> dict[str, Any]:
    config = deepcopy(stack_config(stack))
    EDITS[edit](config)
    return config


@cache
def _run(stack: str, edit: str = "as it ships", *, preview: bool = False) -> Recorder:
    return record_program(_config(stack, edit), stack=stack, preview=preview)


def _wanted_weights(stack: str, edit: str) -> dict[str, dict[str, int]]:
    """Return what the edited file says: the weights of every route."""
    config = _config(stack, edit)
    whole = config[f"{PROJECT}:weights"]
    return {name: route.get("weights", whole) for name, route in config[f"{PROJECT}:routes"].items()}


def _changed(before: Recorder, after: Recorder) -> list[Recorded]:
    """Return the resources of ``before`` that are asked for otherwise in ``after``, or no longer.

    Protection aside: it follows the weight, and a change of it reaches no provider.
    """

    def seen(one: Recorded) -> tuple[Any, ...]:
        return one.inputs, one.deleted_with, one.provider, one.parent

    kept = {one.urn: seen(one) for one in after.recorded}
    return [one for one in before.recorded if kept.get(one.urn) != seen(one)]


def _weighted_rules(stack: str) -> set[str]:
    return {f"{route}-weighted" for route in _wanted_weights(stack, "as it ships")}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("stack", STACKS)
def test_nothing_is_declared_twice(stack: str, edit: str) -> None:
    assert _run(stack, edit).doubled() == []


@pytest.mark.parametrize("stack", STACKS)
def test_a_first_preview_that_knows_nothing_of_aws_declares_the_same_resources(stack: str) -> None:
    known, unknown = _run(stack), _run(stack, preview=True)
    assert {one.urn for one in unknown.recorded} == {one.urn for one in known.recorded}
    assert {one.urn for one in unknown.recorded if one.protect} == {one.urn for one in known.recorded if one.protect}


@pytest.mark.parametrize("stack", STACKS)
def test_a_first_preview_shows_the_weights_although_no_target_group_exists(stack: str) -> None:
    rules = _run(stack, preview=True).of("ListenerRule")
    for route, weights in _wanted_weights(stack, "as it ships").items():
        groups = rules[f"{route}-weighted"].inputs["actions"][0]["forward"]["targetGroups"]
        assert groups == [{"arn": UNKNOWN, "weight": weight} for weight in weights.values()]


@pytest.mark.parametrize("stack", STACKS)
def test_every_childs_name_begins_with_the_name_of_its_component(stack: str) -> None:
    children = [one for one in _run(stack).recorded if "pulumi:pulumi:Stack::" not in one.parent]
    assert children
    strangers = [one.name for one in children if not one.name.startswith(one.parent.rsplit("::", 1)[-1])]
    assert strangers == []


@pytest.mark.parametrize("stack", STACKS)
def test_every_components_type_names_its_module_and_its_class(stack: str) -> None:
    kinds = {one.type for one in _run(stack).recorded if one.type.startswith(f"{PROJECT}:")}
    assert kinds
    for kind in kinds:
        _, module, name = kind.split(":")
        assert hasattr(importlib.import_module(f"components.{module}"), name), kind


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("stack", STACKS)
def test_every_weighted_rule_splits_over_all_clusters_zeros_included(stack: str, edit: str) -> None:
    rules = _run(stack, edit).of("ListenerRule")
    for route, weights in _wanted_weights(stack, edit).items():
        groups = rules[f"{route}-weighted"].inputs["actions"][0]["forward"]["targetGroups"]
        assert {group["arn"]: group["weight"] for group in groups} == {
            f"arn:{route}-{cluster}": weight for cluster, weight in weights.items()
        }


@pytest.mark.parametrize("stack", STACKS)
def test_no_change_is_ever_ignored_but_of_what_aws_never_changes_and_nothing_depends_on(stack: str) -> None:
    ignored = {(one.type.rsplit(":", 1)[-1], *one.ignore_changes) for one in _run(stack).recorded if one.ignore_changes}
    assert ignored == {
        ("Subnet", "cidrBlock"),
        ("LoadBalancer", "name"),
        ("SecurityGroup", "name", "description"),
        ("TargetGroup", "name", "port"),
    }


@pytest.mark.parametrize("edit", ["as it ships", "shifted", "with a third cluster", "with weights of one route alone"])
@pytest.mark.parametrize("stack", STACKS)
def test_protection_follows_the_weight(stack: str, edit: str) -> None:
    recorder, weights = _run(stack, edit), _wanted_weights(stack, edit)
    for cluster in _config(stack, edit)[f"{PROJECT}:clusters"]:
        data = _config(stack, edit)[f"{PROJECT}:clusters"][cluster]
        kept = any(shares[cluster] for shares in weights.values()) or data.get("deletionProtection", False)
        whole = [
            *(one for one in recorder.of("eks:index:Addon").values() if one.name.startswith(cluster)),
            recorder.of("eks:index:Cluster")[cluster],
            recorder.of("ManagedNodeGroup")[f"{cluster}-nodes"],
            recorder.of("Release")[f"{cluster}-aws-load-balancer-controller"],
        ]
        assert [one.protect for one in whole] == [kept] * 8
        for route, shares in weights.items():
            ways = [
                recorder.of("TargetGroup")[f"{route}-{cluster}"],
                recorder.of("ListenerRule")[f"{route}-{cluster}-preview"],
                recorder.of("TargetGroupBinding")[f"{route}-{cluster}"],
            ]
            assert [one.protect for one in ways] == [shares[cluster] > 0] * 3
    assert all(recorder.of("ListenerRule")[f"{route}-weighted"].protect for route in weights)


def test_mesh_objects_are_never_protected_since_their_attributes_replace_them() -> None:
    recorder = _run("dev")
    left = [one for one in recorder.recorded if one.type.endswith(APP_MESH)]
    assert left
    assert [one.name for one in left if one.protect] == []


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_dropped_with_a_cluster_is_as_hard_to_remove(stack: str) -> None:
    recorder = _run(stack)
    for release in recorder.of("Release").values():
        assert release.protect == recorder.of("eks:index:Cluster")[release.deleted_with.split("::")[-1]].protect


def test_each_name_has_its_records_in_the_narrowest_of_the_zones() -> None:
    config = deepcopy(stack_config("prod"))
    names = ["www.example.com", "*.eu.example.com", "eu.example.com", "shop.example.org"]
    config[f"{PROJECT}:loadBalancers"]["public"] |= {"names": names, "zones": ["eu.example.com", "example.org"]}
    records = record_program(config, stack="prod").of("route53/record:Record")
    zones = {name: one.inputs["zoneId"].removeprefix("Z-") for name, one in records.items() if "public" in name}
    assert zones == {
        "public-www.example.com": "example.com",
        "public-*.eu.example.com": "eu.example.com",
        "public-eu.example.com": "eu.example.com",
        "public-shop.example.org": "example.org",
        "public-validation-www.example.com": "example.com",
        "public-validation-eu.example.com": "eu.example.com",
        "public-validation-shop.example.org": "example.org",
    }


@pytest.mark.parametrize("stack", STACKS)
def test_load_balancers_and_records_are_protected_while_a_live_route_lies_on_them(stack: str) -> None:
    recorder = _run(stack)
    for one in (*recorder.of("LoadBalancer").values(), *recorder.of("lb/listener:Listener").values()):
        assert one.protect, one.name
    assert all(one.protect for one in recorder.of("route53/record:Record").values() if one.inputs["type"] == "A")


def test_a_rule_is_protected_only_while_its_route_is_live() -> None:
    config = stack_config("dev")
    config[f"{PROJECT}:routes"]["web"]["live"] = False
    recorder = record_program(config)
    assert "web-weighted" not in recorder.of("ListenerRule")
    assert not recorder.of("ListenerRule")["web-v1-35-preview"].protect
    assert recorder.of("ListenerRule")["grpc-api-weighted"].protect
    assert recorder.exports["rules"] == {"web": None, "grpc-api": "arn:grpc-api-weighted"}
    assert recorder.exports["weights"]["web"] == {}


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_inside_a_cluster_is_dropped_with_it_but_for_the_mesh(stack: str) -> None:
    inside = [one for one in _run(stack).recorded if one.type.startswith("kubernetes:")]
    assert inside
    for one in inside:
        cluster = one.provider.split("::")[-2]
        if one.type.endswith(APP_MESH):
            assert one.deleted_with == "", one.name
        else:
            assert one.deleted_with.endswith(f"eks:index:Cluster::{cluster}"), one.name


@pytest.mark.parametrize("stack", STACKS)
def test_one_explicit_provider_makes_everything_in_aws_and_each_clusters_own_everything_inside(stack: str) -> None:
    recorder = _run(stack)
    (cloud,) = recorder.of("pulumi:providers:aws").values()
    for one in recorder.recorded:
        if one.type.startswith("aws:"):
            assert one.provider.startswith(f"{cloud.urn}::"), one.name
        elif one.type.startswith("eks:"):
            assert one.providers["aws"].startswith(f"{cloud.urn}::"), one.name
        elif one.type.startswith("kubernetes:"):
            cluster = next(key for key in ("v1-35", "v1-36") if key in one.name)
            assert one.provider.split("::")[-2] == cluster, one.name


def test_the_provider_tags_everything_with_its_stack_and_works_in_the_region_of_the_file() -> None:
    (cloud,) = _run("prod").of("pulumi:providers:aws").values()
    assert cloud.inputs["region"] == "ap-northeast-1"
    assert json.loads(cloud.inputs["defaultTags"]) == {"tags": {"pulumi:project": PROJECT, "pulumi:stack": "prod"}}


@pytest.mark.parametrize("stack", STACKS)
def test_a_cluster_waits_for_no_rule_and_a_binding_for_its_own_rule_controller_and_namespace(stack: str) -> None:
    recorder = _run(stack)
    rules = recorder.of("ListenerRule").keys()
    for cluster in recorder.of("eks:index:Cluster").values():
        assert rules.isdisjoint(recorder.waits_for(cluster))
    for name, binding in recorder.of("TargetGroupBinding").items():
        cluster = binding.provider.split("::")[-2]
        ahead = {urn.rsplit("::", 1)[-1] for urn in binding.dependencies}
        assert rules & ahead == {f"{name}-preview"}
        assert f"{cluster}-aws-load-balancer-controller" in ahead
        assert f"{cluster}-{binding.inputs['metadata']['namespace']}" in ahead


@pytest.mark.parametrize("stack", STACKS)
def test_the_shared_layer_waits_for_no_cluster(stack: str) -> None:
    recorder = _run(stack)
    for rule in recorder.of("ListenerRule").values():
        assert recorder.of("eks:index:Cluster").keys().isdisjoint(recorder.waits_for(rule))


def test_the_outputs_are_what_people_ask_for() -> None:
    assert _run("prod").exports == {
        "version": VERSION,
        "urls": ["https://www.example.com", "https://orders.example.com"],
        "loadBalancers": {"public": "public.elb.test", "private": "private.elb.test"},
        "rules": {"web": "arn:web-weighted", "orders": "arn:orders-weighted"},
        "targetGroups": {
            route: {cluster: f"arn:{route}-{cluster}" for cluster in ("v1-35", "v1-36")} for route in ("web", "orders")
        },
        "weights": {route: {"v1-35": 100, "v1-36": 0} for route in ("web", "orders")},
        "clusters": {
            f"v1-{minor}": {
                "name": f"prod-v1-{minor}",
                "version": f"1.{minor}",
                "kubeconfig": f"aws eks update-kubeconfig --region ap-northeast-1 --name prod-v1-{minor}",
            }
            for minor in (35, 36)
        },
    }


def test_the_weights_in_the_outputs_are_those_that_the_rules_have() -> None:
    groups = [{"arn": "arn:web-v1-35", "weight": 70}, {"arn": "arn:web-v1-36", "weight": 30}]
    live = {"actions": [{"type": "forward", "forward": {"targetGroups": groups}}]}
    recorder = record_program(stack_config("dev"), answers={"web-weighted": live})
    assert recorder.exports["weights"] == {"web": {"v1-35": 70, "v1-36": 30}, "grpc-api": {"v1-35": 99, "v1-36": 1}}


@pytest.mark.parametrize("stack", STACKS)
def test_no_output_holds_a_kubeconfig(stack: str) -> None:
    assert "get-token" not in json.dumps(_run(stack).exports)


@pytest.mark.parametrize("stack", STACKS)
def test_the_preview_secret_is_in_plain_text_nowhere(stack: str) -> None:
    config = stack_config(stack)
    config[f"{PROJECT}:preview"] = {"secret": "not-for-strangers"}
    recorder = record_program(config, stack=stack, secret_keys=[f"{PROJECT}:preview"])
    condition = recorder.of("ListenerRule")["web-v1-36-preview"].inputs["conditions"][-1]["httpHeader"]
    assert condition["values"] == ["v1-36.not-for-strangers"]
    assert "not-for-strangers" not in recorder.plain_text
    assert "not-for-strangers" not in json.dumps(recorder.exports)


@pytest.mark.parametrize("stack", STACKS)
def test_an_edit_of_weights_changes_weighted_rules_and_nothing_else(stack: str) -> None:
    before, after = _run(stack), _run(stack, "shifted")
    assert {one.name for one in _changed(before, after)} == _weighted_rules(stack)
    assert {one.urn for one in after.recorded} == {one.urn for one in before.recorded}


@pytest.mark.parametrize("stack", STACKS)
def test_a_third_cluster_is_an_edit_of_the_file_and_changes_weighted_rules_and_nothing_else(stack: str) -> None:
    before, after = _run(stack), _run(stack, "with a third cluster")
    assert {one.name for one in _changed(before, after)} == _weighted_rules(stack)
    was, is_now = ({one.name for one in run.recorded if one.protect} for run in (before, after))
    assert {name for name in is_now if "v1-37" not in name} == was
    new = {one.urn for one in after.recorded} - {one.urn for one in before.recorded}
    assert new
    assert [urn for urn in new if "v1-37" not in urn] == []


@pytest.mark.parametrize("stack", STACKS)
def test_a_cluster_that_leaves_takes_what_is_its_own_and_changes_weighted_rules_and_nothing_else(stack: str) -> None:
    changed = {one.name for one in _changed(_run(stack), _run(stack, "without the new cluster"))}
    assert {name for name in changed if "v1-36" not in name} == _weighted_rules(stack)


@pytest.mark.parametrize("stack", STACKS)
def test_a_fourth_route_is_an_edit_of_the_file_and_changes_nothing_that_exists(stack: str) -> None:
    before, after = _run(stack), _run(stack, "with a fourth route")
    assert _changed(before, after) == []
    for name in ("docs", "admin"):
        assert f"{name}-weighted" in after.of("ListenerRule")
        assert f"{name}-v1-36" in after.of("TargetGroupBinding")


def test_a_stack_with_app_mesh_is_told_on_every_run_that_it_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        record_program(stack_config("dev"), preview=True)
    (warning,) = caplog.messages
    assert "2026-09-30" in warning
    assert "mesh.kind to none" in warning


def test_a_stack_without_app_mesh_is_warned_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        record_program(stack_config("prod"), stack="prod")
    assert caplog.messages == []


@pytest.mark.parametrize("stack", STACKS)
def test_the_program_uses_nothing_that_its_providers_have_deprecated(stack: str) -> None:
    _run(stack)  # the providers warn of their own modules when these are loaded
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DeprecationWarning)
        record_program(stack_config(stack), stack=stack)
    assert [str(one.message) for one in caught if issubclass(one.category, DeprecationWarning)] == []


@pytest.mark.parametrize("stack", STACKS)
def test_a_cluster_may_register_in_the_groups_that_bear_its_tags_and_these_are_its_own(stack: str) -> None:
    run = _run(stack)
    for name, group in run.of("TargetGroup").items():
        for cluster in ("v1-35", "v1-36"):
            policy = json.loads(run.of("RolePolicy")[f"{cluster}-aws-load-balancer-controller"].inputs["policy"])
            wanted = policy["Statement"][1]["Condition"]["StringEquals"]
            tags = {f"aws:ResourceTag/{key}": value for key, value in group.inputs["tags"].items()}
            assert (wanted.items() <= tags.items()) == name.endswith(cluster)


def test_why_aws_did_not_answer_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told, and not only raised: the engine hears of an exception when hooks that still run have ended its work."""

    def silent(*_: object, **__: object) -> pulumi.Output[object]:
        failed = asyncio.get_event_loop().create_future()
        failed.set_exception(RuntimeError("Route 53 is silent"))
        return pulumi.Output.from_input(failed)

    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", lambda text, *_: said.append(text))
    monkeypatch.setattr(aws.route53, "get_zone_output", silent)
    with pytest.raises(RuntimeError):
        record_program(stack_config("dev"))
    assert "Route 53 is silent" in said


def test_each_resource_is_asked_once_which_hooks_it_gets_since_each_asking_costs_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(pulumi.runtime, "register_resource_transform", asked.append)
    record_program(stack_config("dev"))
    assert len(asked) == 1


def test_an_assumed_role_reaches_the_provider_under_the_names_that_it_reads() -> None:
    role = {"roleArn": "arn:aws:iam::123456789012:role/deploy", "sessionName": "cutover"}
    run = record_program({**stack_config("dev"), "aws:assumeRoles": [role]})
    (provider,) = run.of("pulumi:providers:aws").values()
    assert json.loads(provider.inputs["assumeRoles"]) == [role]
