"""The emulated subnet: a part of a VPC in one zone, deleted when nothing is in it.

From the provider's source. Refuses to own addresses, which moto counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import find, spelled, tags_shown
from rehearsal.plugins.aws.ec2.deletion import deleter
from rehearsal.plugins.aws.ec2.tags import retag, tagged
from rehearsal.plugins.aws.eks.standing import every_cluster
from rehearsal.plugins.aws.elbv2.standing import every_load_balancer
from rehearsal.plugins.aws.table import (
    ALWAYS,
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REQUIRED_REPLACES,
    Field,
    Type,
    defaults,
)

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    place = {"availabilityZone": "AvailabilityZone", "availabilityZoneId": "AvailabilityZoneId"}
    made = aws.ask(
        "ec2",
        "create_subnet",
        VpcId=inputs["vpcId"],
        CidrBlock=inputs["cidrBlock"],
        **spelled(inputs, place),
        **tagged("subnet", inputs),
    )["Subnet"]["SubnetId"]
    _set_public(aws, made, inputs)
    return made


def _set_public(aws: Aws, made: str, inputs: Props) -> None:
    on = inputs["mapPublicIpOnLaunch"]
    aws.ask("ec2", "modify_subnet_attribute", SubnetId=made, MapPublicIpOnLaunch={"Value": on})


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    _set_public(aws, made, new)
    retag(aws, made, old, new)


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    subnet = find(aws, ("InvalidSubnetID.NotFound",), "ec2", "describe_subnets", "Subnets", SubnetIds=[made])
    if subnet is None:
        return None
    return {
        **known,
        "arn": subnet["SubnetArn"],
        "ownerId": subnet["OwnerId"],
        "availabilityZone": subnet["AvailabilityZone"],
        "availabilityZoneId": subnet["AvailabilityZoneId"],
        "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
        **tags_shown(aws, subnet, known),
    }


def _used(aws: Aws, made: str) -> str:
    cards = aws.ask("ec2", "describe_network_interfaces", Filters=[{"Name": "subnet-id", "Values": [made]}])
    gateways = aws.ask("ec2", "describe_nat_gateways", Filters=[{"Name": "subnet-id", "Values": [made]}])
    balancers = every_load_balancer(aws)
    held = (
        cards["NetworkInterfaces"]
        or any(one["State"] != "deleted" for one in gateways["NatGateways"])
        or any(zone["SubnetId"] == made for one in balancers for zone in one["AvailabilityZones"])
        or any(made in one["resourcesVpcConfig"]["subnetIds"] for one in every_cluster(aws))
    )
    return f"The subnet '{made}' has dependencies and cannot be deleted." if held else ""


TYPE = Type(
    "aws:ec2/subnet:Subnet",
    "EC2 Subnet",
    {
        "assignIpv6AddressOnCreation": defaults(False),
        "availabilityZone": COMPUTED_REPLACES,
        "availabilityZoneId": COMPUTED_REPLACES,
        "cidrBlock": REQUIRED_REPLACES,
        "enableDns64": defaults(False),
        "enableResourceNameDnsARecordOnLaunch": defaults(False),
        "enableResourceNameDnsAaaaRecordOnLaunch": defaults(False),
        "ipv6Native": Field(default=False, replaces=ALWAYS),
        "mapPublicIpOnLaunch": defaults(False),
        "tags": GIVEN,
        "vpcId": REQUIRED_REPLACES,
        "arn": OUTPUT,
        "ownerId": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=deleter("delete_subnet", "SubnetId", "InvalidSubnetID.NotFound", _used),
)
