"""What stands in the account, by its id: an address, a route table. Refuses to judge any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import find

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def find_address(aws: Aws, made: str) -> Props | None:
    """Return an address, or None when it is gone or there is no id."""
    gone = ("InvalidAllocationID.NotFound",)
    return find(aws, gone, "ec2", "describe_addresses", "Addresses", AllocationIds=[made]) if made else None


def find_route_table(aws: Aws, made: str) -> Props | None:
    """Return a route table, or None when it is gone."""
    gone = ("InvalidRouteTableID.NotFound",)
    return find(aws, gone, "ec2", "describe_route_tables", "RouteTables", RouteTableIds=[made])
