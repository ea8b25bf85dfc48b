"""The subnets of a VPC that was made elsewhere, as EC2 has them. Refuses to judge (rules/existing_network.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutover.calls import client, pages
from cutover.rules.existing_network import Subnet
from settings.network import ExistingNetwork

if TYPE_CHECKING:
    import boto3

    from settings import Settings


def read(settings: Settings, account: boto3.Session) -> dict[str, Subnet] | None:
    """Return those of the stack file's subnets that EC2 has, by id; None where it names none."""
    if not isinstance(settings.network, ExistingNetwork):
        return None
    ids = {*settings.network.public_subnet_ids, *settings.network.private_subnet_ids}
    # A filter finds what is there; asked for by id, one that is not there fails the call.
    named = [{"Name": "subnet-id", "Values": sorted(ids)}]
    found = pages(client(account, "ec2"), "describe_subnets", "Subnets", Filters=named)
    return {
        subnet["SubnetId"]: Subnet(
            subnet["AvailabilityZone"], subnet["VpcId"], six=bool(subnet.get("Ipv6CidrBlockAssociationSet"))
        )
        for subnet in found
    }
