"""Clusters and routes come and go by a configuration edit alone, and nothing that stays is touched."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from cutover.rules.judgement import touched
from settings.imports import LISTENER_RULE

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutover.rules.run import Step
    from rehearsal.play.stackfile import Config
    from tests.engine.standing import Standing

only_dev = pytest.mark.parametrize("standing", ["dev"], indirect=True)

_SHARED = ("Vpc", "Subnet", "LoadBalancer", "Listener", "Record", "Certificate", "PrivateDnsNamespace", "SecurityGroup")


def _third_cluster(config: Config) -> None:
    clusters = config["eks-cutover:clusters"]
    clusters["v1-37"] = {**copy.deepcopy(clusters["v1-36"]), "version": "1.37"}
    config["eks-cutover:weights"]["v1-37"] = 0


def _another_route(config: Config) -> None:
    routes = config["eks-cutover:routes"]
    routes["extra"] = {**copy.deepcopy(routes["web"]), "priority": 3, "hosts": ["extra.example.com"]}


def _public(config: Config) -> None:
    config["eks-cutover:clusters"]["v1-35"]["endpoint"] = {"publicCidrs": ["192.0.2.0/24"]}


def _shared(steps: tuple[Step, ...]) -> list[Step]:
    return [step for step in steps if step.type.rsplit(":", 1)[-1] in _SHARED]


def test_a_third_cluster_adds_its_group_to_each_weighted_rule_and_touches_nothing_else(standing: Standing) -> None:
    run = standing.preview(_third_cluster)
    assert not run.failure
    changed = [step for step in run.steps if step.op != "create"]
    assert sorted(step.name for step in changed) == sorted(
        f"{route}-weighted" for route in standing.config["eks-cutover:routes"]
    )
    assert {(step.op, step.type) for step in changed} == {("update", LISTENER_RULE)}
    assert all(step.paths[0].startswith("actions[0].forward.targetGroups[2]") for step in changed)
    created = [step for step in run.steps if step.op == "create"]
    assert created
    assert all("v1-37" in step.name for step in created)
    assert _shared(run.steps) == []
    assert not [path for step in run.steps if step.op == "update" for path in step.paths if "priority" in path]


def test_another_route_touches_no_rule_that_exists(standing: Standing) -> None:
    standing.heal(0)  # where something serves, a new route starts with `live: false`
    run = standing.preview(_another_route)
    standing.heal(4)
    assert not run.failure
    rules = [step for step in run.steps if step.type == LISTENER_RULE]
    assert {step.op for step in rules} == {"create"}
    assert {step.name for step in rules} == {"extra-v1-35-preview", "extra-v1-36-preview", "extra-weighted"}
    assert {step.op for step in run.steps} == {"create"}
    assert _shared(run.steps) == []


@only_dev
def test_another_order_of_the_zones_touches_no_subnet(standing: Standing) -> None:
    run = standing.preview(lambda config: config["eks-cutover:network"]["zones"].reverse())
    assert not run.failure
    assert [step for step in run.steps if step.type.endswith(":Subnet")] == []


@only_dev
def test_a_new_route_that_is_not_live_has_preview_rules_only(standing: Standing) -> None:
    def waiting(config: Config) -> None:
        _another_route(config)
        config["eks-cutover:routes"]["extra"]["live"] = False

    run = standing.preview(waiting)
    rules = {step.name for step in run.steps if step.type == LISTENER_RULE}
    assert rules == {"extra-v1-35-preview", "extra-v1-36-preview"}


@only_dev
def test_a_public_endpoint_is_one_change_of_the_cluster_in_place(standing: Standing) -> None:
    run = standing.preview(_public)
    (step,) = (step for step in run.steps if step.type.startswith("aws:"))
    assert (run.failure, step.op, step.name) == ("", "update", "v1-35-eksCluster")
    assert step.paths == ("vpcConfig.endpointPublicAccess", "vpcConfig.publicAccessCidrs[0]")


@only_dev
def test_a_name_that_has_a_record_already_ends_the_preview_and_records_that_serve_are_not_given_away(
    standing: Standing,
) -> None:
    route53 = standing.sandbox.aws("route53")
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    record = {"Name": "new.example.com", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "old.example.net"}]}

    def change(action: str) -> None:
        changes = [{"Action": action, "ResourceRecordSet": record}]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    change("CREATE")
    taken = standing.preview(
        lambda config: config["eks-cutover:loadBalancers"]["public"]["names"].append(record["Name"])
    )
    change("DELETE")
    assert "new.example.com has a record already (CNAME to old.example.net)" in taken.failure
    given = standing.preview(
        lambda config: config["eks-cutover:loadBalancers"]["public"].update(dns={"managedBy": "external"})
    )
    assert "protected" in given.failure


@only_dev
def test_a_cluster_with_a_share_in_one_route_only_is_refused_to_leave(standing: Standing) -> None:
    route = sorted(standing.config["eks-cutover:routes"])[0]

    def only_there(config: Config) -> None:
        config["eks-cutover:weights"] = {"v1-35": 0, "v1-36": 100}
        config["eks-cutover:routes"][route]["weights"] = {"v1-35": 1, "v1-36": 99}

    def gone(config: Config) -> None:
        config["eks-cutover:weights"] = {"v1-36": 100}
        del config["eks-cutover:clusters"]["v1-35"]

    assert not standing.up(only_there).failure
    assert "protect" in standing.preview(gone).failure
    assert not standing.up().failure


@only_dev
def test_an_edit_of_sizes_gives_the_nodes_that_it_says_whatever_an_autoscaler_has_made_of_them(
    standing: Standing,
) -> None:
    eks, cluster = standing.sandbox.aws("eks"), f"{standing.name}-v1-36"
    (name,) = eks.list_nodegroups(clusterName=cluster)["nodegroups"]
    group = {"clusterName": cluster, "nodegroupName": name}

    def sizes(least: int, desired: int, most: int) -> Callable[[Config], None]:
        new = {"minSize": least, "desiredSize": desired, "maxSize": most}
        return lambda config: config["eks-cutover:clusters"]["v1-36"]["nodes"].update(new)

    def has() -> dict[str, int]:
        return eks.describe_nodegroup(**group)["nodegroup"]["scalingConfig"]

    eks.update_nodegroup_config(**group, scalingConfig={"minSize": 2, "desiredSize": 5, "maxSize": 6})
    assert not standing.preview().steps
    assert not standing.up(sizes(2, 2, 8)).failure
    assert has() == {"minSize": 2, "desiredSize": 5, "maxSize": 8}, "more room takes no node away"
    raised = standing.up(sizes(6, 6, 8))
    assert (raised.failure, [step.name for step in touched(raised)]) == ("", ["v1-36-nodes"])
    assert has() == {"minSize": 6, "desiredSize": 6, "maxSize": 8}
    assert not standing.up().failure
    assert has() == {"minSize": 2, "desiredSize": 2, "maxSize": 6}
    assert not standing.preview().steps
