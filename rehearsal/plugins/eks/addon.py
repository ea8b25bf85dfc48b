"""`eks:index:Addon`. Refuses tags, which the real component does not take in a preview."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
from pulumi.errors import InputPropertyError

from rehearsal.plugins.eks.inputs import Inputs, check_known, compact, eks_cluster

_INPUTS = frozenset(
    {
        "addonName",
        "addonVersion",
        "cluster",
        "configurationValues",
        "preserve",
        "resolveConflictsOnCreate",
        "resolveConflictsOnUpdate",
        "serviceAccountRoleArn",
    }
)


class Addon(pulumi.ComponentResource):
    """`eks:index:Addon`: the add-on, a child of its cluster whatever parent the program names."""

    def __init__(self, name: str, inputs: Inputs, options: pulumi.ResourceOptions) -> None:
        if "tags" in inputs:
            raise InputPropertyError("tags", "are not taken by the real component in a preview: use default tags")
        check_known(inputs, _INPUTS, "eks:index:Addon")
        if not isinstance(inputs["cluster"], eks.Cluster):
            raise InputPropertyError("cluster", "is not an eks.Cluster")
        super().__init__(
            "eks:index:Addon",
            name,
            inputs,
            pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(parent=inputs["cluster"])),
        )
        values = inputs.get("configurationValues")
        self.addon = aws.eks.Addon(
            name,
            addon_name=inputs["addonName"],
            addon_version=inputs.get("addonVersion"),
            cluster_name=eks_cluster(inputs["cluster"]).name,
            configuration_values=None if values is None else pulumi.Output.from_input(values).apply(compact),
            preserve=inputs.get("preserve"),
            resolve_conflicts_on_create=inputs.get("resolveConflictsOnCreate"),
            resolve_conflicts_on_update=inputs.get("resolveConflictsOnUpdate"),
            service_account_role_arn=inputs.get("serviceAccountRoleArn"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
