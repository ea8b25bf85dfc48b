"""The emulated internet gateway, attached to one VPC or none. Refuses to own routes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import arn_of, find, tags_shown
from rehearsal.plugins.aws.ec2.tags import retag, tagged
from rehearsal.plugins.aws.table import COMPUTED, GIVEN, OUTPUT, Type

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    answer = aws.ask("ec2", "create_internet_gateway", **tagged("internet-gateway", inputs))
    made = answer["InternetGateway"]["InternetGatewayId"]
    if "vpcId" in inputs:
        aws.ask("ec2", "attach_internet_gateway", InternetGatewayId=made, VpcId=inputs["vpcId"])
    return made


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "vpcId" in changed:
        _detach(aws, made, old)
        aws.ask("ec2", "attach_internet_gateway", InternetGatewayId=made, VpcId=new["vpcId"])
    retag(aws, made, old, new)


def _detach(aws: Aws, made: str, state: Props) -> None:
    if "vpcId" in state:
        gone = ("Gateway.NotAttached", "InvalidInternetGatewayID.NotFound")
        aws.found(gone, "ec2", "detach_internet_gateway", InternetGatewayId=made, VpcId=state["vpcId"])


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    gateway = find(
        aws,
        ("InvalidInternetGatewayID.NotFound",),
        "ec2",
        "describe_internet_gateways",
        "InternetGateways",
        InternetGatewayIds=[made],
    )
    if gateway is None:
        return None
    owner = gateway.get("OwnerId") or aws.account
    attached = [one["VpcId"] for one in gateway.get("Attachments", [])]
    return {
        **known,
        "arn": arn_of(aws, "ec2", "internet-gateway", made, owner=owner),
        "ownerId": owner,
        **({"vpcId": attached[0]} if attached else {}),
        **tags_shown(aws, gateway, known),
    }


def _delete(aws: Aws, made: str, state: Props) -> None:
    _detach(aws, made, state)
    aws.found(("InvalidInternetGatewayID.NotFound",), "ec2", "delete_internet_gateway", InternetGatewayId=made)


TYPE = Type(
    "aws:ec2/internetGateway:InternetGateway",
    "EC2 Internet Gateway",
    {"tags": GIVEN, "vpcId": COMPUTED, "arn": OUTPUT, "ownerId": OUTPUT},
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
