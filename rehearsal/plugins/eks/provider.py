"""The plugin, which builds a component for each that the program registers. Refuses to own the components."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.errors import InputPropertyError
from pulumi.provider import ConstructResult, Provider

from rehearsal.plugins.eks.addon import Addon
from rehearsal.plugins.eks.cluster import Cluster
from rehearsal.plugins.eks.managed_node_group import ManagedNodeGroup

if TYPE_CHECKING:
    from collections.abc import Mapping


class EksProvider(Provider):
    """The plugin: builds a component for each that the program registers."""

    def __init__(self) -> None:
        super().__init__(importlib.metadata.version("pulumi-eks"))

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Mapping[str, pulumi.Input[Any]],
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Build the component, and answer with its outputs."""
        options = options or pulumi.ResourceOptions()
        match resource_type:
            case "eks:index:Cluster":
                cluster = Cluster(name, dict(inputs), options)
                return ConstructResult(cluster.urn, cluster.outputs)
            case "eks:index:ManagedNodeGroup":
                group = ManagedNodeGroup(name, dict(inputs), options)
                return ConstructResult(group.urn, {"nodeGroup": group.node_group, "placementGroupName": ""})
            case "eks:index:Addon":
                return ConstructResult(Addon(name, dict(inputs), options).urn, {})
            case _:
                raise InputPropertyError("type", f"the rehearsal's eks provider knows no component {resource_type}")
