"""The managed node groups of a cluster, and the role that all their nodes have.

Owns how many nodes a group is to have now, or that their number is left alone. Refuses to reckon that number
(cutover/rules/node_counts.py), and to own the cluster (cluster.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
from pulumi import ResourceOptions, ResourceTransformResult

from components import roles
from components.transforms import with_part
from settings.nodes import NODE_GROUP, resource_name
from settings.owner import SIZES_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import ResourceTransformArgs

    from components.transforms import Transform
    from settings.iam import Iam
    from settings.nodes import Nodes, UpdatePolicy

_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly")


@dataclass(frozen=True, kw_only=True)
class NodeGroupsArgs:
    """Groups by name. ``counts`` are how many nodes are to be in a group now; ``after`` is what nodes wait for.

    ``subnets`` are by the places that a group may name. ``role_arn`` is that of a role which others made for them.
    """

    cluster: eks.Cluster
    groups: Mapping[str, Nodes]
    counts: Mapping[str, int]
    subnets: Mapping[str, pulumi.Input[str]]
    partition: str
    iam: Iam
    role_arn: str | None
    tags: Mapping[str, str]
    after: Sequence[pulumi.Resource]


class NodeGroups:
    """The node groups of one cluster, children of a component ``parent``. A group that is to be empty may leave."""

    def __init__(self, parent: pulumi.Resource, name: str, args: NodeGroupsArgs) -> None:
        self._parent, self._name, self._args = parent, name, args
        role, attachments = self._role()
        self.role_arn = pulumi.Output.from_input(role)
        self.groups = [self._group(group, nodes, role, attachments) for group, nodes in args.groups.items()]

    def _role(self) -> tuple[pulumi.Input[str], Sequence[pulumi.Resource]]:
        if self._args.role_arn:
            return self._args.role_arn, ()
        name, child = f"{self._name}-nodes", ResourceOptions(parent=self._parent)
        role = roles.role(name, roles.nodes(self._args.partition), self._args.iam, child)
        return role.arn, [
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=role.name,
                policy_arn=f"arn:{self._args.partition}:iam::aws:policy/{policy}",
                opts=child,
            )
            for policy in _POLICIES
        ]

    def _group(
        self, name: str, nodes: Nodes, role: pulumi.Input[str], attachments: Sequence[pulumi.Resource]
    ) -> eks.ManagedNodeGroup:
        unprotected = ResourceOptions(protect=False) if nodes.leaving else ResourceOptions()
        return eks.ManagedNodeGroup(
            resource_name(self._name, name),
            cluster=self._args.cluster,
            node_role_arn=role,
            subnet_ids=[self._args.subnets[place] for place in nodes.places or self._args.subnets],
            operating_system=eks.OperatingSystem[nodes.operating_system],
            instance_types=nodes.instance_types,
            capacity_type=nodes.capacity_type,
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(
                min_size=nodes.min_size, desired_size=nodes.desired_size, max_size=nodes.max_size
            ),
            release_version=nodes.release_version,
            disk_size=nodes.disk_size,
            labels=nodes.labels or None,
            taints=[
                aws.eks.NodeGroupTaintArgs(key=taint.key, value=taint.value, effect=taint.effect)
                for taint in nodes.taints
            ]
            or None,
            enable_imd_sv2=True,
            tags={**self._args.tags, SIZES_TAG: "/".join(map(str, nodes.sizes))},
            opts=ResourceOptions.merge(
                unprotected,
                ResourceOptions(
                    parent=self._parent,
                    depends_on=[*self._args.after, *attachments],
                    transforms=[_counting(self._args.counts.get(name)), *_updating(nodes.update_policy)],
                ),
            ),
        )


def _counting(now: int | None) -> Transform:
    """Return what says how many nodes the group of the EKS component is to have now, or leaves their number alone.

    The component is told the same each time: what it is told it shows as a change, also where nothing is to be done.
    """

    def counting(args: ResourceTransformArgs) -> ResourceTransformResult | None:
        if args.type_ != NODE_GROUP:
            return None
        if now is not None:
            counted = with_part(args.props, "scalingConfig", lambda sizes: {**sizes, "desiredSize": now})
            return ResourceTransformResult(counted, args.opts)
        # A refresh would otherwise let the next update shrink a cluster that an autoscaler has grown.
        left = ResourceOptions(ignore_changes=["scalingConfig.desiredSize"])
        return ResourceTransformResult(args.props, ResourceOptions.merge(args.opts, left))

    return counting


def _updating(policy: UpdatePolicy | None) -> list[Transform]:
    """Return what says how the nodes of the group of the EKS component are rolled, which the component is not asked."""
    if policy is None:
        return []
    asked = {
        "maxUnavailable": policy.max_unavailable,
        "maxUnavailablePercentage": policy.max_unavailable_percentage,
        "updateStrategy": policy.strategy,
    }
    known = {key: value for key, value in asked.items() if value is not None}

    def updating(args: ResourceTransformArgs) -> ResourceTransformResult | None:
        if args.type_ != NODE_GROUP:
            return None
        return ResourceTransformResult({**args.props, "updateConfig": known}, args.opts)

    return [updating]
