"""`eks:index:ManagedNodeGroup`, with the image that fits its operating system and its instance types.

Refuses to take the public subnets by itself, as the real component would.
"""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi.errors import InputPropertyError

from rehearsal.plugins.eks.inputs import Inputs, check_known, eks_cluster

_INPUTS = frozenset(
    {
        "amiType",
        "capacityType",
        "cluster",
        "clusterName",
        "diskSize",
        "enableIMDSv2",
        "forceUpdateVersion",
        "ignoreScalingChanges",
        "instanceTypes",
        "labels",
        "nodeGroupName",
        "nodeGroupNamePrefix",
        "nodeRole",
        "nodeRoleArn",
        "operatingSystem",
        "releaseVersion",
        "scalingConfig",
        "subnetIds",
        "tags",
        "taints",
        "version",
    }
)
_AMI_TYPES = {
    ("AL2023", "x86_64"): "AL2023_x86_64_STANDARD",
    ("AL2023", "arm64"): "AL2023_ARM_64_STANDARD",
    ("Bottlerocket", "x86_64"): "BOTTLEROCKET_x86_64",
    ("Bottlerocket", "arm64"): "BOTTLEROCKET_ARM_64",
}
_ROOT_DEVICES = {"AL2023": "/dev/xvda", "Bottlerocket": "/dev/xvdb"}


class ManagedNodeGroup(pulumi.ComponentResource):
    """`eks:index:ManagedNodeGroup`: the node group, and a launch template where EKS's own will not do."""

    def __init__(self, name: str, inputs: Inputs, options: pulumi.ResourceOptions) -> None:
        check_known(inputs, _INPUTS, "eks:index:ManagedNodeGroup")
        if "nodeRole" in inputs and "nodeRoleArn" in inputs:
            raise InputPropertyError(
                "nodeRole", "You cannot specify both nodeRole and nodeRoleArn when creating a managed node group."
            )
        if "nodeRole" not in inputs and "nodeRoleArn" not in inputs:
            raise InputPropertyError(
                "nodeRole", "An IAM role, or role ARN must be provided to create a managed node group"
            )
        if "subnetIds" not in inputs:
            raise InputPropertyError(
                "subnetIds", "is not set: the component would take the public subnets too, which is not emulated"
            )
        super().__init__("eks:index:ManagedNodeGroup", name, inputs, options)
        cluster = eks_cluster(inputs["cluster"])
        scaling = inputs.get("scalingConfig") or {}
        system = inputs.get("operatingSystem")
        template = self._launch_template(name, inputs) if "enableIMDSv2" in inputs else None
        self.node_group = aws.eks.NodeGroup(
            name,
            ami_type=inputs.get("amiType") or (_ami_type(system, inputs.get("instanceTypes")) if system else None),
            capacity_type=inputs.get("capacityType"),
            cluster_name=inputs.get("clusterName") or cluster.name,
            disk_size=None if template else inputs.get("diskSize"),
            force_update_version=inputs.get("forceUpdateVersion"),
            instance_types=inputs.get("instanceTypes"),
            labels=inputs.get("labels"),
            launch_template={"id": template.id, "version": template.latest_version.apply(str)} if template else None,
            node_group_name=inputs.get("nodeGroupName"),
            node_group_name_prefix=inputs.get("nodeGroupNamePrefix"),
            node_role_arn=inputs.get("nodeRoleArn") or pulumi.Output.from_input(inputs["nodeRole"]).arn,
            release_version=inputs.get("releaseVersion"),
            scaling_config={
                "desired_size": scaling.get("desiredSize", 2),
                "max_size": scaling.get("maxSize", 2),
                "min_size": scaling.get("minSize", 1),
            },
            subnet_ids=inputs["subnetIds"],
            tags=inputs.get("tags"),
            taints=inputs.get("taints"),
            version=inputs.get("version") or cluster.version,
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=["scalingConfig.desiredSize"] if inputs.get("ignoreScalingChanges") else None,
            ),
        )
        self.register_outputs({"nodeGroup": self.node_group})

    def _launch_template(self, name: str, inputs: Inputs) -> aws.ec2.LaunchTemplate:
        device = _ROOT_DEVICES.get(inputs.get("operatingSystem") or "AL2023", "/dev/xvda")
        size = inputs.get("diskSize")
        return aws.ec2.LaunchTemplate(
            f"{name}-launchTemplate",
            block_device_mappings=[{"device_name": device, "ebs": {"volume_size": size}}] if size else None,
            metadata_options={
                "http_tokens": "required" if inputs["enableIMDSv2"] else "optional",
                "http_put_response_hop_limit": 2,
                "http_endpoint": "enabled",
            },
            opts=pulumi.ResourceOptions(parent=self),
        )


def _ami_type(system: Any, instance_types: Any) -> pulumi.Output[str]:
    def choose(parts: list[Any]) -> str:
        kinds = {"arm64" if re.match(r"(?:[a-z]+\d+g[a-z]*|a1)\.", name) else "x86_64" for name in parts[1] or ["t3"]}
        if len(kinds) > 1:
            raise InputPropertyError(
                "instanceTypes", "Cannot determine architecture of instance types. They must share one architecture."
            )
        ami = _AMI_TYPES.get((parts[0], kinds.pop()))
        if ami is None:
            raise InputPropertyError("operatingSystem", f"{parts[0]} is not emulated")
        return ami

    return pulumi.Output.all(system, instance_types).apply(choose)
