"""The subnets between load balancers and the targets of a cluster, as EC2 tells them: route tables and network ACLs.

Two accounts may be asked: that of the load balancers, and that of the cluster. Refuses to judge (rules/borders.py).
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from cutover.calls import pages
from cutover.rules.borders import Border, Borders
from cutover.rules.verdict import Unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cutover.rules.way import Way


def read(way: Way, ours: Any, theirs: Any) -> Borders:
    """Return the subnets of the load balancers on the way and of their targets, by the EC2 clients of their accounts.

    :raises ClientError: AWS could not be read
    :raises Unread: EC2 tells no route table of a subnet
    """
    own = _borders(ours, {subnet for side in way.balancers.values() for subnet in side.subnets})
    return Borders(
        balancers={name: [own[subnet] for subnet in side.subnets] for name, side in way.balancers.items()},
        targets=_borders(theirs, {one.subnet for one in way.targets}),
    )


def _borders(ec2: Any, ids: Iterable[str]) -> dict[str, Border]:
    wanted = sorted(ids)
    if not wanted:
        return {}
    subnets = pages(ec2, "describe_subnets", "Subnets", SubnetIds=wanted)
    vpcs = [{"Name": "vpc-id", "Values": sorted({one["VpcId"] for one in subnets})}]
    tables = pages(ec2, "describe_route_tables", "RouteTables", Filters=vpcs)
    lists = pages(ec2, "describe_network_acls", "NetworkAcls", Filters=vpcs)
    return {
        one["SubnetId"]: Border(
            id=one["SubnetId"],
            cidr=IPv4Network(one["CidrBlock"]),
            routes=_table(tables, one)["Routes"],
            entries=[
                entry
                for acl in lists
                if any(_of(association, one) for association in acl["Associations"])
                for entry in acl["Entries"]
            ],
        )
        for one in subnets
    }


def _table(tables: Sequence[Mapping[str, Any]], subnet: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the route table of a subnet: the one that it names, or the main one of its VPC."""
    here = [one for one in tables if one["VpcId"] == subnet["VpcId"]]
    named = [one for one in here if any(_of(association, subnet) for association in one["Associations"])]
    main = [one for one in here if any(association.get("Main") for association in one["Associations"])]
    for one in [*named, *main]:
        return one
    raise Unread(f"EC2 tells no route table of {subnet['SubnetId']}")


def _of(association: Mapping[str, Any], subnet: Mapping[str, Any]) -> bool:
    return association.get("SubnetId") == subnet["SubnetId"]
