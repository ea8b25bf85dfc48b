"""The emulated route of a table, under the id that the provider makes of its destination.

From the provider's source. Refuses to own the table and what it leads to.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from rehearsal.plugins.aws.ec2.routes import ROUTE_TARGETS, route_asked
from rehearsal.plugins.aws.ec2.standing import find_route_table
from rehearsal.plugins.aws.table import GIVEN, OUTPUT, REQUIRED_REPLACES, Type

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    aws.ask("ec2", "create_route", RouteTableId=inputs["routeTableId"], **route_asked(inputs, "destinationCidrBlock"))
    return f"r-{inputs['routeTableId']}{zlib.crc32(inputs['destinationCidrBlock'].encode())}"


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    aws.ask("ec2", "replace_route", RouteTableId=new["routeTableId"], **route_asked(new, "destinationCidrBlock"))


def _read(aws: Aws, made: str, known: Props) -> Props | None:  # noqa: ARG001
    table = find_route_table(aws, known["routeTableId"])
    for route in table["Routes"] if table else ():
        if route.get("DestinationCidrBlock") == known["destinationCidrBlock"]:
            targets = {name: route[key] for name, key in ROUTE_TARGETS.items() if route.get(key)}
            given = {name: value for name, value in known.items() if name not in ROUTE_TARGETS}
            return {
                **given,
                **targets,
                "origin": route.get("Origin", "CreateRoute"),
                "state": route.get("State", "active"),
            }
    return None


def _delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    aws.found(
        ("InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"),
        "ec2",
        "delete_route",
        RouteTableId=state["routeTableId"],
        DestinationCidrBlock=state["destinationCidrBlock"],
    )


TYPE = Type(
    "aws:ec2/route:Route",
    "EC2 Route",
    {
        "destinationCidrBlock": REQUIRED_REPLACES,
        "gatewayId": GIVEN,
        "natGatewayId": GIVEN,
        "routeTableId": REQUIRED_REPLACES,
        "origin": OUTPUT,
        "state": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
