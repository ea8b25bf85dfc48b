"""The emulated NAT gateway: when it goes, its address and its network interface are free.

From the provider's source; moto keeps what a gateway held. Refuses to own routes to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import find, spelled, tags_shown
from rehearsal.plugins.aws.ec2.standing import find_address
from rehearsal.plugins.aws.ec2.tags import tagged, update_tags
from rehearsal.plugins.aws.table import (
    ALWAYS,
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REPLACES,
    REQUIRED_REPLACES,
    Field,
    Type,
    one_of,
)

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    return aws.ask(
        "ec2",
        "create_nat_gateway",
        SubnetId=inputs["subnetId"],
        ConnectivityType=inputs["connectivityType"],
        **spelled(inputs, {"allocationId": "AllocationId"}),
        **tagged("natgateway", inputs),
    )["NatGateway"]["NatGatewayId"]


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    nat = find(aws, ("NatGatewayNotFound",), "ec2", "describe_nat_gateways", "NatGateways", NatGatewayIds=[made])
    if nat is None or nat["State"] == "deleted":
        return None
    address = nat["NatGatewayAddresses"][0]
    return {
        **known,
        "publicIp": address.get("PublicIp", ""),
        "privateIp": address.get("PrivateIp", ""),
        "networkInterfaceId": address.get("NetworkInterfaceId", ""),
        "associationId": address.get("AssociationId", ""),
        **tags_shown(aws, nat, known),
    }


def _delete(aws: Aws, made: str, state: Props) -> None:
    if _read(aws, made, state) is None:
        return
    aws.ask("ec2", "delete_nat_gateway", NatGatewayId=made)
    # moto keeps what a NAT gateway holds; AWS frees its address and its network interface.
    if address := find_address(aws, state.get("allocationId", "")):
        aws.ask("ec2", "disassociate_address", AssociationId=address["AssociationId"])
    card = state["networkInterfaceId"]
    aws.found(("InvalidNetworkInterfaceID.NotFound",), "ec2", "delete_network_interface", NetworkInterfaceId=card)


TYPE = Type(
    "aws:ec2/natGateway:NatGateway",
    "EC2 NAT Gateway",
    {
        "allocationId": REPLACES,
        "connectivityType": Field(default="public", replaces=ALWAYS, check=one_of("private", "public")),
        "privateIp": COMPUTED_REPLACES,
        "subnetId": REQUIRED_REPLACES,
        "tags": GIVEN,
        "associationId": OUTPUT,
        "networkInterfaceId": OUTPUT,
        "publicIp": OUTPUT,
    },
    create=_create,
    read=_read,
    update=update_tags,
    delete=_delete,
)
