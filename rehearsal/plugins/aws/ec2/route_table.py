"""The emulated route table, with the routes that it was given. Refuses to own routes of their own (route.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import arn_of, tags_shown
from rehearsal.plugins.aws.ec2.routes import route_asked
from rehearsal.plugins.aws.ec2.standing import find_route_table
from rehearsal.plugins.aws.ec2.tags import retag, tagged
from rehearsal.plugins.aws.table import GIVEN, OUTPUT, REQUIRED, REQUIRED_REPLACES, Type, set_of

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    made = aws.ask("ec2", "create_route_table", VpcId=inputs["vpcId"], **tagged("route-table", inputs))
    table = made["RouteTable"]["RouteTableId"]
    for route in inputs.get("routes", ()):
        aws.ask("ec2", "create_route", RouteTableId=table, **route_asked(route, "cidrBlock"))
    return table


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "routes" in changed:
        for route in old.get("routes", ()):
            aws.ask("ec2", "delete_route", RouteTableId=made, DestinationCidrBlock=route["cidrBlock"])
        for route in new.get("routes", ()):
            aws.ask("ec2", "create_route", RouteTableId=made, **route_asked(route, "cidrBlock"))
    retag(aws, made, old, new)


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    table = find_route_table(aws, made)
    if table is None:
        return None
    owner = table.get("OwnerId") or aws.account
    return {
        **known,
        "arn": arn_of(aws, "ec2", "route-table", made, owner=owner),
        "ownerId": owner,
        **tags_shown(aws, table, known),
    }


def _delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    table = find_route_table(aws, made)
    if table is None:
        return
    for one in table["Associations"]:
        aws.ask("ec2", "disassociate_route_table", AssociationId=one["RouteTableAssociationId"])
    aws.ask("ec2", "delete_route_table", RouteTableId=made)


TYPE = Type(
    "aws:ec2/routeTable:RouteTable",
    "EC2 Route Table",
    {
        "routes": set_of({"cidrBlock": REQUIRED, "gatewayId": GIVEN, "natGatewayId": GIVEN}, computed=True),
        "tags": GIVEN,
        "vpcId": REQUIRED_REPLACES,
        "arn": OUTPUT,
        "ownerId": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
