"""The inputs of a component: which are emulated, and in which form its children take them.

Refuses every input that leads elsewhere, by name. Refuses to own which inputs a component has.
"""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_eks as eks
from pulumi.errors import InputPropertyError

Inputs = dict[str, Any]


def check_known(inputs: Inputs, known: frozenset[str], component: str) -> None:
    """Refuse an input that is not among those ``known`` of a component.

    :raises InputPropertyError: one is not
    """
    unheard = sorted(inputs.keys() - known)
    if unheard:
        raise InputPropertyError(
            unheard[0], f"is not emulated: the rehearsal's {component} takes {', '.join(sorted(known))}"
        )


def without_none(**properties: Any) -> dict[str, Any]:
    """Return the properties that are not None."""
    return {key: value for key, value in properties.items() if value is not None}


def compact(value: Any) -> str:
    """Return JSON without a space, as the component writes it."""
    return json.dumps(value, separators=(",", ":"))


def eks_cluster(given: Any) -> Any:
    """Return the `aws:eks/cluster:Cluster`, as an output, of an `eks.Cluster` or of the core of one."""
    return pulumi.Output.from_input(given).apply(
        lambda cluster: cluster.eks_cluster if isinstance(cluster, eks.Cluster) else cluster["cluster"]
    )
