"""The emulated association of a route table with a subnet or a gateway.

From the provider's source. Refuses to own either end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import spelled
from rehearsal.plugins.aws.ec2.standing import find_route_table
from rehearsal.plugins.aws.table import REPLACES, REQUIRED, Type

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _find(aws: Aws, state: Props) -> Props | None:
    """Return the association by what it joins: changing the table of one changes its id."""
    table = find_route_table(aws, state["routeTableId"])
    for one in table["Associations"] if table else ():
        if one.get("SubnetId") == state.get("subnetId") and one.get("GatewayId") == state.get("gatewayId"):
            return one
    return None


def _create(aws: Aws, inputs: Props) -> str:
    return aws.ask(
        "ec2",
        "associate_route_table",
        RouteTableId=inputs["routeTableId"],
        **spelled(inputs, {"subnetId": "SubnetId", "gatewayId": "GatewayId"}),
    )["AssociationId"]


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    if one := _find(aws, old):
        association = one["RouteTableAssociationId"]
        aws.ask(
            "ec2",
            "replace_route_table_association",
            AssociationId=association,
            RouteTableId=new["routeTableId"],
        )


def _read(aws: Aws, made: str, known: Props) -> Props | None:  # noqa: ARG001
    return known if _find(aws, known) else None


def _delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    if one := _find(aws, state):
        aws.ask("ec2", "disassociate_route_table", AssociationId=one["RouteTableAssociationId"])


TYPE = Type(
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "EC2 Route Table Association",
    {"gatewayId": REPLACES, "routeTableId": REQUIRED, "subnetId": REPLACES},
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
