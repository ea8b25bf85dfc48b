"""What the program asks of a stack file that is right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.settings.editing import EXISTING, settings_of


def test_a_route_without_weights_of_its_own_has_the_stacks() -> None:
    settings = settings_of("dev", {"routes.web.weights": {"v1-35": 50, "v1-36": 50}})
    assert settings.weights_of("web") == {"v1-35": 50, "v1-36": 50}
    assert settings.weights_of("grpc-api") == {"v1-35": 99, "v1-36": 1}


def test_a_route_serves_where_its_weight_is_above_0() -> None:
    settings = settings_of("prod", {"routes.web.weights": {"v1-35": 0, "v1-36": 1}})
    assert [settings.serves("web", key) for key in ("v1-35", "v1-36")] == [False, True]
    assert [settings.serves("orders", key) for key in ("v1-35", "v1-36")] == [True, False]


def test_a_route_that_is_not_live_serves_nowhere() -> None:
    settings = settings_of("prod", {"routes.web.live": False})
    assert not any(settings.serves("web", key) for key in settings.clusters)


def test_a_cluster_serves_from_the_first_share() -> None:
    assert [settings_of("dev").serving(key) for key in ("v1-35", "v1-36")] == [True, True]
    assert [settings_of("prod").serving(key) for key in ("v1-35", "v1-36")] == [True, False]


def test_a_cluster_serves_when_one_route_alone_gives_it_a_share() -> None:
    assert settings_of("prod", {"routes.web.weights": {"v1-35": 99, "v1-36": 1}}).serving("v1-36")


def test_a_cluster_is_held_to_serve_by_the_stacks_weights_although_no_route_is_left_to_follow_them() -> None:
    own = {"v1-35": 0, "v1-36": 1}
    assert settings_of("prod", {"routes.web.weights": own, "routes.orders.weights": own}).serving("v1-35")


def test_a_cluster_is_held_to_serve_by_a_route_that_is_not_live_yet() -> None:
    own = {"routes.web.weights": {"v1-35": 99, "v1-36": 1}, "routes.web.live": False}
    assert settings_of("prod", own).serving("v1-36")


def test_a_mesh_is_named_after_stack_and_cluster_unless_it_has_a_name() -> None:
    settings = settings_of("dev", {"clusters.v1-36.meshName": "shop"})
    assert [settings.mesh_name(key) for key in settings.clusters] == ["dev-v1-35", "shop"]


def test_a_cluster_and_its_mesh_have_the_name_that_it_is_given() -> None:
    settings = settings_of("dev", {"clusters.v1-36.name": "shop-v1-36"})
    assert [settings.eks_name(key) for key in settings.clusters] == ["dev-v1-35", "shop-v1-36"]
    assert settings.mesh_name("v1-36") == "shop-v1-36"


def test_instances_carry_their_cluster_and_the_stack() -> None:
    settings = settings_of("dev", drop=["serviceDiscovery.attributes"])
    assert settings.attributes("v1-36") == {"ver": "v1-36", "env": "dev"}


def test_instances_carry_the_users_attributes_and_the_users_environment() -> None:
    settings = settings_of("dev", {"serviceDiscovery.attributes": {"env": "integration", "team": "shop"}})
    assert settings.attributes("v1-35") == {"ver": "v1-35", "env": "integration", "team": "shop"}


SIX = {"network": EXISTING, "loadBalancers.public.ipAddressType": "dualstack"}


@pytest.mark.parametrize(
    ("changes", "balancer", "cidrs"),
    [
        ({}, "public", ("0.0.0.0/0",)),
        ({}, "private", ("10.40.0.0/16",)),
        ({"loadBalancers.public.ingressCidrs": ["203.0.113.0/24"]}, "public", ("203.0.113.0/24",)),
        ({"loadBalancers.private.ingressCidrs": ["10.0.0.0/8"]}, "private", ("10.0.0.0/8",)),
        ({**SIX, "loadBalancers.private.ingressCidrs": ["10.0.0.0/8"]}, "public", ("0.0.0.0/0", "::/0")),
        ({"network": EXISTING, "loadBalancers.private.ingressCidrs": ["10.0.0.0/8"]}, "public", ("0.0.0.0/0",)),
    ],
)
def test_who_may_connect_is_whom_the_file_names_else_everyone_or_the_vpc(
    changes: dict[str, Any], balancer: str, cidrs: tuple[str, ...]
) -> None:
    assert settings_of("prod", changes).ingress_cidrs(balancer) == cidrs


def test_nodes_are_reached_on_all_node_ports_once_however_many_routes_there_are() -> None:
    assert settings_of("dev").target_ports("public", "v1-35") == {(30000, 32767): True}


def test_pods_are_reached_on_the_ports_of_the_routes_of_their_load_balancer() -> None:
    settings = settings_of("prod", {"routes.orders.service.podPort": 9090}, drop=["routes.web.service.podPort"])
    assert settings.target_ports("public", "v1-35") == {(80, 80): True}
    assert settings.target_ports("private", "v1-36") == {(9090, 9090): False}


def test_a_load_balancer_without_routes_reaches_no_port() -> None:
    assert settings_of("dev", {"routes": {}}).target_ports("public", "v1-35") == {}


def test_a_route_lies_on_the_one_load_balancer_or_on_the_one_that_it_names() -> None:
    assert settings_of("dev").load_balancer_of("web") == "public"
    assert settings_of("prod").load_balancer_of("orders") == "private"


def test_a_load_balancer_speaks_https_when_it_has_names_or_a_certificate() -> None:
    arn = "arn:aws:acm:ap-northeast-1:123456789012:certificate/1"
    plain = {"loadBalancers.public.names": []}
    assert settings_of("prod").load_balancers["public"].https
    assert not settings_of("prod", plain).load_balancers["public"].https
    assert settings_of("prod", {**plain, "loadBalancers.public.certificateArn": arn}).load_balancers["public"].https


def test_namespaces_are_those_of_routes_and_mesh_and_say_whether_they_are_in_the_mesh() -> None:
    node = {"namespace": "jobs", "podLabels": {"app": "jobs"}, "port": 80, "protocol": "http"}
    settings = settings_of("dev", {"serviceDiscovery.services.jobs": {"virtualNode": node}})
    assert settings.namespaces() == {"api": True, "jobs": True, "web": False}
    assert settings_of("prod").namespaces() == {"orders": False, "web": False}


def test_namespaces_that_somebody_else_makes_are_left_out() -> None:
    assert settings_of("dev", {"existingNamespaces": ["web", "kube-system"]}).namespaces() == {"api": True}


@pytest.mark.parametrize("namespace", ["default", "kube-system", "kube-public"])
def test_a_namespace_that_every_cluster_has_is_not_made(namespace: str) -> None:
    assert settings_of("dev", {"routes.web.service.namespace": namespace}).namespaces() == {"api": True}


def test_virtual_nodes_are_those_of_the_services_that_have_pods_in_the_mesh() -> None:
    settings = settings_of("dev", {"serviceDiscovery.services.billing": {}})
    assert {name: node.port for name, node in settings.virtual_nodes().items()} == {"grpc-api": 9000}


def test_without_a_mesh_there_are_no_virtual_nodes() -> None:
    assert settings_of("prod", {"serviceDiscovery": {"namespace": "a.example.com"}}).virtual_nodes() == {}


def test_what_nothing_reads_as_the_file_is_is_told_by_its_key() -> None:
    changes: dict[str, Any] = {
        "clusters.v1-36.controllers.appMesh": "1.13.3",
        "clusters.v1-35.meshName": "shop",
        "loadBalancers.private.names": [],
        "loadBalancers.private.certificateArn": "arn:aws:acm:ap-northeast-1:123456789012:certificate/1",
    }
    assert [text.split(":")[0] for text in settings_of("prod", changes).warnings] == [
        "clusters.v1-36.controllers.appMesh changes nothing",
        "clusters.v1-35.meshName changes nothing",
        "loadBalancers.private.zone changes nothing",
    ]
    used = {"loadBalancers.public.zones": ["example.org", "eu.example.com"]}
    assert settings_of("prod", used).warnings == (
        "loadBalancers.public.zones[0] changes nothing: none of the names lies in it.",
        "loadBalancers.public.zones[1] changes nothing: none of the names lies in it.",
    )


def test_app_mesh_is_warned_of_with_its_date_and_a_way_out_and_nothing_else_is() -> None:
    [warning] = settings_of("dev").warnings
    assert "AWS ended App Mesh on 2026-09-30" in warning
    assert warning.endswith("then set mesh.kind to none.")
    assert settings_of("prod").warnings == ()


def test_the_aws_provider_is_given_the_region_and_tags_every_resource_with_its_stack() -> None:
    assert settings_of("dev").aws.provider_arguments(PROJECT, "dev") == {
        "region": "ap-northeast-1",
        "profile": None,
        "assume_roles": None,
        "allowed_account_ids": None,
        "default_tags": {"tags": {"pulumi:project": PROJECT, "pulumi:stack": "dev"}},
    }


def test_the_aws_provider_is_given_all_that_the_file_says_of_aws() -> None:
    role = "arn:aws:iam::123456789012:role/deploy"
    said = {
        "aws:profile": "team",
        "aws:assumeRoles": [{"roleArn": role, "sessionName": "ci"}],
        "aws:allowedAccountIds": ["123456789012"],
        "aws:defaultTags": {"tags": {"team": "platform"}},
    }
    aws = settings_of("dev", said).aws
    assert aws.login == ("--profile", "team", "--role-arn", role)
    assert aws.provider_arguments(PROJECT, "dev") == {
        "region": "ap-northeast-1",
        "profile": "team",
        "assume_roles": [{"roleArn": role, "sessionName": "ci"}],
        "allowed_account_ids": ("123456789012",),
        "default_tags": {"tags": {"pulumi:project": PROJECT, "pulumi:stack": "dev", "team": "platform"}},
    }


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("ap-northeast-1", "aws"),
        ("cn-northwest-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_arns_begin_with_the_partition_of_the_region(region: str, partition: str) -> None:
    zones = [f"{region}a", f"{region}b"]
    assert settings_of("dev", {"aws:region": region, "network.zones": zones}).aws.partition == partition
