"""`network`: a VPC over named zones, or one that exists. What each key takes, and what another value would cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from settings.kinds import WITH, WITHOUT, told_by
from settings.values import NOWHERE, Model, Several, cidr, edited, rule, text, within

VpcCidr = Annotated[
    str,
    rule(
        "CUT114",
        lambda value: not within(value, NOWHERE),
        "this range is kept for loopback, link-local addresses, multicast or nothing at all. EC2 would refuse the VPC. "
        "Write a private range, such as 10.20.0.0/16",
    ),
    rule(
        "CUT115",
        lambda value: cidr(value, 16, 21),
        "a new network is a range from /16 to /21. AWS has no VPC above /16, and below /21 the public subnets would be "
        "too small for a load balancer. Write its first address and its length, such as 10.20.0.0/16",
    ),
]

VpcId = Annotated[
    str,
    rule(
        "CUT126",
        text(r"vpc-([0-9a-f]{8}|[0-9a-f]{17})"),
        "this is no id of a VPC. EC2 would find none. Take one from `aws ec2 describe-vpcs`, such as "
        "vpc-0a1b2c3d4e5f67890",
    ),
]

SubnetId = Annotated[
    str,
    rule(
        "CUT127",
        text(r"subnet-([0-9a-f]{8}|[0-9a-f]{17})"),
        "this is no id of a subnet. EC2 would find none. Take one from `aws ec2 describe-subnets`, such as "
        "subnet-0a1b2c3d4e5f67890",
    ),
]


SecurityGroupId = Annotated[
    str,
    rule(
        "CUT185",
        text(r"sg-([0-9a-f]{8}|[0-9a-f]{17})"),
        "this is no id of a security group. EC2 would find none. Take one from `aws ec2 describe-security-groups`, "
        "such as sg-0a1b2c3d4e5f67890",
    ),
]


class NewNetwork(Model):
    """A VPC of the stack's own, with a public and a private subnet in every zone."""

    cidr: VpcCidr = Field(
        description="the range of the VPC, /16 to /21; it cannot be changed later",
        json_schema_extra=edited("replaces the VPC and all in it, which is refused while anything serves"),
    )
    zones: Several[str] = Field(
        min_length=2,
        max_length=6,
        description="2 to 6 availability zones, for good: another one replaces the nodes of every cluster",
        json_schema_extra=edited("replaces the nodes of every cluster, which is refused while one serves"),
    )
    nat_gateways: Literal["single", "perZone"] = Field(
        default="single", description="one NAT gateway, in the first of the zones, or one in every zone"
    )


class ExistingNetwork(Model):
    """A VPC that was made elsewhere and is only read."""

    vpc_id: VpcId = Field(
        description="the VPC",
        json_schema_extra=edited("replaces all that stands in it, which is refused while anything serves"),
    )
    public_subnet_ids: Several[SubnetId] = Field(default=(), description="subnets of internet-facing load balancers")
    private_subnet_ids: Several[SubnetId] = Field(
        min_length=2,
        description="subnets of nodes, control planes and internal load balancers",
        json_schema_extra=edited("replaces the nodes of every cluster, which is refused while one serves"),
    )


Network = Annotated[Annotated[NewNetwork, Tag(WITHOUT)] | Annotated[ExistingNetwork, Tag(WITH)], told_by("vpcId")]
