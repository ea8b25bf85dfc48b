"""What stands in the account, by its id: any one thing of EC2, an address, a route table.

State lies in moto. Refuses to judge any of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def find_one(aws: Aws, gone: str, operation: str, result: str, **which: Any) -> Props | None:
    """Return the first that ``operation`` tells of, or None when AWS answers that it is gone."""
    answer = aws.found((gone,), "ec2", operation, **which)
    return answer[result][0] if answer and answer[result] else None


def arn_of(aws: Aws, owner: str, kind: str, made: str) -> str:
    """Return the ARN of a thing of EC2."""
    return f"arn:{aws.partition}:ec2:{aws.region}:{owner}:{kind}/{made}"


def find_address(aws: Aws, made: str) -> Props | None:
    """Return an address, or None when it is gone or there is no id."""
    gone = "InvalidAllocationID.NotFound"
    return find_one(aws, gone, "describe_addresses", "Addresses", AllocationIds=[made]) if made else None


def find_route_table(aws: Aws, made: str) -> Props | None:
    """Return a route table, or None when it is gone."""
    return find_one(aws, "InvalidRouteTableID.NotFound", "describe_route_tables", "RouteTables", RouteTableIds=[made])
