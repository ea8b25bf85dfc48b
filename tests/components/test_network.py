"""The shared network: how the range is cut, and what stands in it."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from itertools import combinations, permutations
from typing import TYPE_CHECKING

import pulumi_aws as aws
import pytest

from components.network import Network
from settings.network import ExistingNetwork
from settings.subnets import plan_subnets
from tests.conftest import record
from tests.settings.editing import EXISTING

if TYPE_CHECKING:
    from settings import Settings


def _declared(settings: Settings) -> Network:
    assert settings.network is not None
    return Network("network", settings.network)


ZONES = ("a", "b", "c", "d", "e", "f", "g")


@pytest.mark.parametrize("cidr", ["10.20.0.0/16", "10.20.8.0/21"])
def test_a_zone_has_the_same_ranges_whatever_other_zones_there_are_and_in_whichever_order(cidr: str) -> None:
    alone = {zone: plan_subnets(cidr, (zone,)) for zone in ZONES}
    for some in permutations(ZONES, 3):
        assert plan_subnets(cidr, some) == [plan for zone in some for plan in alone[zone]]


def test_zones_from_a_on_without_a_gap_are_cut_one_after_the_other() -> None:
    plan = plan_subnets("10.20.0.0/16", ("a", "b", "c"))
    assert [zone.private for zone in plan] == ["10.20.0.0/19", "10.20.32.0/19", "10.20.64.0/19"]
    assert [zone.public for zone in plan] == ["10.20.224.0/22", "10.20.228.0/22", "10.20.232.0/22"]


def test_a_subnet_that_stands_keeps_its_range(dev: Settings) -> None:
    subnets = record(lambda: _declared(dev)).of("subnet:Subnet").values()
    assert {subnet.ignore_changes for subnet in subnets} == {("cidrBlock",)}


@pytest.mark.parametrize("cidr", ["10.20.0.0/16", "10.20.8.0/21"])
def test_subnets_lie_in_the_range_and_overlap_nowhere(cidr: str) -> None:
    plan = plan_subnets(cidr, ZONES)
    subnets = [IPv4Network(subnet) for zone in plan for subnet in (zone.public, zone.private)]
    assert [zone.zone for zone in plan] == list(ZONES)
    assert all(subnet.subnet_of(IPv4Network(cidr)) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))


def test_the_smallest_range_leaves_every_public_subnet_the_addresses_that_a_load_balancer_wants() -> None:
    assert {IPv4Network(zone.public).prefixlen for zone in plan_subnets("10.20.0.0/21", ZONES)} == {27}


def test_load_balancers_and_nodes_find_their_subnets_by_the_tags_that_eks_asks_for(dev: Settings) -> None:
    subnets = record(lambda: _declared(dev)).of("subnet:Subnet")
    roles = {name: {key for key in subnet.inputs["tags"] if "/role/" in key} for name, subnet in subnets.items()}
    assert roles == {
        "network-ap-northeast-1a-public": {"kubernetes.io/role/elb"},
        "network-ap-northeast-1a-private": {"kubernetes.io/role/internal-elb"},
        "network-ap-northeast-1c-public": {"kubernetes.io/role/elb"},
        "network-ap-northeast-1c-private": {"kubernetes.io/role/internal-elb"},
    }


def test_no_subnet_knows_a_cluster_because_clusters_come_and_go(prod: Settings) -> None:
    subnets = record(lambda: _declared(prod)).of("subnet:Subnet").values()
    assert not [key for subnet in subnets for key in subnet.inputs["tags"] if key.startswith("kubernetes.io/cluster/")]


def test_a_single_nat_gateway_is_the_way_out_of_all_zones(dev: Settings) -> None:
    recorder = record(lambda: _declared(dev))
    routes = recorder.of("route:Route")
    assert len(recorder.of("NatGateway")) == len(recorder.of("Eip")) == 1
    assert routes["network-ap-northeast-1a-private-out"].inputs["natGatewayId"] == "network-ap-northeast-1a-nat-id"
    assert routes["network-ap-northeast-1c-private-out"].inputs["natGatewayId"] == "network-ap-northeast-1a-nat-id"


def test_with_a_nat_gateway_per_zone_the_loss_of_a_zone_leaves_the_others_their_way_out(prod: Settings) -> None:
    recorder = record(lambda: _declared(prod))
    routes, gateways = recorder.of("route:Route"), recorder.of("NatGateway")
    for zone in ("ap-northeast-1a", "ap-northeast-1c", "ap-northeast-1d"):
        assert gateways[f"network-{zone}-nat"].inputs == {
            "subnetId": f"network-{zone}-public-id",
            "allocationId": f"network-{zone}-nat-allocation",
        }
        assert routes[f"network-{zone}-private-out"].inputs["natGatewayId"] == f"network-{zone}-nat-id"


def test_only_public_subnets_are_reached_from_the_internet(dev: Settings) -> None:
    recorder = record(lambda: _declared(dev))
    tables = {one.inputs["routeTableId"] for one in recorder.of("route:Route").values() if "gatewayId" in one.inputs}
    associated = recorder.of("RouteTableAssociation")
    reached = {name for name, one in associated.items() if one.inputs["routeTableId"] in tables}
    assert reached == {"network-ap-northeast-1a-public", "network-ap-northeast-1c-public"}


def test_what_stands_in_a_subnet_waits_for_the_subnets_way_out(dev: Settings) -> None:
    def declare() -> None:
        network = _declared(dev)
        aws.lb.LoadBalancer("public", subnets=network.public_subnet_ids)
        aws.ec2.Instance("node", subnet_id=network.private_subnet_ids[1])

    recorder = record(declare)
    assert "network-internet" in recorder.waits_for(recorder.of("LoadBalancer")["public"])
    assert "network-ap-northeast-1c-private-out" in recorder.waits_for(recorder.of("Instance")["node"])


def test_an_existing_network_is_only_handed_on() -> None:
    existing = ExistingNetwork.model_validate_json(json.dumps(EXISTING))

    def declare() -> None:
        network = Network("network", existing)
        aws.ec2.SecurityGroup("in-it", vpc_id=network.vpc_id)
        aws.lb.LoadBalancer("public", subnets=network.public_subnet_ids)
        aws.lb.LoadBalancer("internal", subnets=network.private_subnet_ids)

    recorder = record(declare)
    assert recorder.of("SecurityGroup")["in-it"].inputs["vpcId"] == EXISTING["vpcId"]
    assert recorder.of("LoadBalancer")["public"].inputs["subnets"] == EXISTING["publicSubnetIds"]
    assert recorder.of("LoadBalancer")["internal"].inputs["subnets"] == EXISTING["privateSubnetIds"]
    assert len(recorder.recorded) == 4
