"""A route of a table as EC2 takes it. Refuses to own where a route stands (route.py, route_table.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props

ROUTE_TARGETS = {"gatewayId": "GatewayId", "natGatewayId": "NatGatewayId"}


def route_asked(inputs: Props, destination: str) -> dict[str, Any]:
    """Return a route as EC2 takes it, ``destination`` naming the property that tells where to."""
    return {
        "DestinationCidrBlock": inputs[destination],
        **{key: inputs[name] for name, key in ROUTE_TARGETS.items() if inputs.get(name)},
    }
