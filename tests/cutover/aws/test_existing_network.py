"""A VPC that was made elsewhere: what is wrong with its subnets is told by the key, before the first resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cutover.aws import existing_network
from cutover.aws.session import session
from cutover.rules.existing_network import Subnet, mistakes
from tests.cutover.tagged import reach
from tests.rehearsal.emulated import REGION, running
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VPC, OTHER = "vpc-0a1b2c3d4e5f60718", "vpc-0a1b2c3d4e5f60719"
A, B, C, D = (f"subnet-0a1b2c3d4e5f6071{digit}" for digit in range(4))
GIVEN: dict[str, Any] = {
    "network": {"vpcId": VPC, "publicSubnetIds": [A, B], "privateSubnetIds": [C, D]},
    "loadBalancers.private.ingressCidrs": ["10.0.0.0/16"],
}
RIGHT = {A: Subnet("z-a", VPC), B: Subnet("z-c", VPC), C: Subnet("z-a", VPC), D: Subnet("z-c", VPC)}


def told(there: Mapping[str, Subnet] | None, **changes: Any) -> list[str]:
    """Return the mistakes of prod, which has load balancers of both schemes, as far as key and first words go."""
    found = mistakes(settings_of("prod", {**GIVEN, **changes}), there)
    return [f"{one.key}: {one.text.split('. ')[0]}" for one in found]


def test_subnets_of_two_zones_of_the_vpc_are_right_and_so_is_what_could_not_be_read() -> None:
    assert told(RIGHT) == told(None) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({A: Subnet("z-c", VPC)}, f"network.publicSubnetIds: {A} and {B} are all in z-c, and a load balancer takes"),
        ({C: Subnet("z-c", VPC)}, "network.privateSubnetIds: all are in z-c"),
        ({D: Subnet("z-c", OTHER)}, f"network.privateSubnetIds: {D} is of {OTHER}, and vpcId says {VPC}"),
    ],
)
def test_what_elb_or_eks_would_refuse_is_told(wrong: dict[str, Subnet], says: str) -> None:
    assert any(one.startswith(says) for one in told({**RIGHT, **wrong}))


def test_a_dualstack_load_balancer_needs_ranges_of_ipv6_in_its_own_subnets() -> None:
    dualstack = {"loadBalancers.public.ipAddressType": "dualstack"}
    assert told(RIGHT, **dualstack) == [
        f"loadBalancers.public.ipAddressType: dualstack, and {A} and {B} have no range of IPv6"
    ]
    six = {one: Subnet(RIGHT[one].zone, VPC, six=True) for one in (A, B)}
    assert told({**RIGHT, **six}, **dualstack) == []


def test_a_subnet_that_is_not_there_is_told_alone() -> None:
    there = {one: RIGHT[one] for one in (A, C, D)}
    assert told(there) == [f"network.publicSubnetIds: this account has no subnet {B} in this region"]


def test_nodes_may_have_several_subnets_of_a_zone_where_no_load_balancer_does() -> None:
    one_zone_twice = {**RIGHT, B: Subnet("z-b", VPC)}
    network = {**GIVEN["network"], "privateSubnetIds": [A, C, D]}
    assert told(one_zone_twice, network=network) != []
    changes = {"network": network, "loadBalancers.private.scheme": "internet-facing"}
    assert told(one_zone_twice, **changes) == []


def test_the_subnets_are_read_and_one_that_is_not_there_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as cloud:
        ec2 = cloud.client("ec2")
        about = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
        vpc, six = about["VpcId"], about["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
        zone = {"VpcId": vpc, "AvailabilityZone": f"{REGION}a"}
        made = ec2.create_subnet(CidrBlock="10.0.0.0/20", Ipv6CidrBlock=six, **zone)["Subnet"]
        other = ec2.create_subnet(CidrBlock="10.0.16.0/20", **zone)["Subnet"]
        network = {**GIVEN["network"], "privateSubnetIds": [made["SubnetId"], other["SubnetId"], D]}
        reach(cloud, monkeypatch)
        settings = settings_of("prod", {**GIVEN, "network": network})
        found = existing_network.read(settings, session(settings.aws))
        assert found == {
            made["SubnetId"]: Subnet(f"{REGION}a", vpc, six=True),
            other["SubnetId"]: Subnet(f"{REGION}a", vpc),
        }
