"""The emulated Elastic IP address. Refuses to own what it is associated with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import arn_of, tags_shown
from rehearsal.plugins.aws.ec2.deletion import deleter
from rehearsal.plugins.aws.ec2.standing import find_address
from rehearsal.plugins.aws.ec2.tags import tagged, update_tags
from rehearsal.plugins.aws.table import ALWAYS, GIVEN, OUTPUT, Field, Type, one_of

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    return aws.ask("ec2", "allocate_address", Domain="vpc", **tagged("elastic-ip", inputs))["AllocationId"]


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    address = find_address(aws, made)
    if address is None:
        return None
    ip = address["PublicIp"]
    return {
        **known,
        "allocationId": made,
        "arn": arn_of(aws, "ec2", "elastic-ip", made),
        "associationId": address.get("AssociationId", ""),
        "publicIp": ip,
        "publicDns": f"ec2-{ip.replace('.', '-')}.{aws.region}.compute.amazonaws.com",
        **tags_shown(aws, address, known),
    }


TYPE = Type(
    "aws:ec2/eip:Eip",
    "EC2 EIP",
    {
        "domain": Field(computed=True, replaces=ALWAYS, check=one_of("vpc")),
        "tags": GIVEN,
        "allocationId": OUTPUT,
        "arn": OUTPUT,
        "associationId": OUTPUT,
        "publicDns": OUTPUT,
        "publicIp": OUTPUT,
    },
    create=_create,
    read=_read,
    update=update_tags,
    delete=deleter("release_address", "AllocationId", "InvalidAllocationID.NotFound"),
)
