"""The EKS add-ons of a cluster, and the roles of those that call AWS.

Owns which come before nodes. Refuses to own the cluster and its nodes (cluster.py), and which versions there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi_aws as aws
import pulumi_eks as eks
from pulumi import ResourceOptions

from components import roles
from components.tags import own_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pulumi

    from settings.addons import Addon, AddonRole
    from settings.addons import Addons as AddonsSettings
    from settings.iam import Iam

_BEFORE_NODES = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")


class Addons:
    """The add-ons of one cluster, children of a component ``parent``; ``iam`` is of their roles."""

    def __init__(
        self, parent: pulumi.Resource, name: str, cluster: eks.Cluster, wanted: AddonsSettings, iam: Iam
    ) -> None:
        self._parent, self._name, self._cluster, self._iam = parent, name, cluster, iam
        self._wanted = wanted

    def before_nodes(self) -> list[eks.Addon]:
        """Declare those that nodes need before they are ready."""
        return [self._addon(name, ()) for name in self._wanted.pinned if self._first(name)]

    def on_nodes(self, nodes: Sequence[pulumi.Resource]) -> list[eks.Addon]:
        """Declare those that run on nodes: inside the EKS component they would be waited for before any could exist."""
        return [self._addon(name, nodes) for name in self._wanted.pinned if not self._first(name)]

    def _first(self, name: str) -> bool:
        other = self._wanted.others.get(name)
        return other.before_nodes if other else name in _BEFORE_NODES

    def _addon(self, addon: str, after: Sequence[pulumi.Resource]) -> eks.Addon:
        other = self._wanted.others.get(addon)
        role = [self._role(addon, other.role)] if other and other.role else []
        return eks.Addon(
            f"{self._name}-{addon}",
            cluster=self._cluster,
            addon_name=addon,
            addon_version=self._wanted.pinned[addon],
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            # Pods that start before the association have no credentials until they are restarted.
            opts=ResourceOptions(parent=self._parent, depends_on=[*after, *role]),
            **_configured(other),
        )

    def _role(self, addon: str, wanted: AddonRole) -> aws.eks.PodIdentityAssociation:
        name, child = f"{self._name}-{addon}", ResourceOptions(parent=self._parent)
        arn: pulumi.Input[str] = wanted.role_arn or ""
        attached: Sequence[pulumi.Resource] = ()
        if not wanted.role_arn:
            role = roles.role(name, roles.POD_IDENTITY, self._iam, child)
            arn, attached = role.arn, list(self._attachments(name, role, wanted))
        return aws.eks.PodIdentityAssociation(
            name,
            cluster_name=self._cluster.eks_cluster.name,
            namespace=wanted.namespace,
            service_account=wanted.service_account,
            role_arn=arn,
            tags=own_tags(),
            opts=ResourceOptions(parent=self._parent, depends_on=attached),
        )

    def _attachments(self, name: str, role: aws.iam.Role, wanted: AddonRole) -> Iterator[pulumi.Resource]:
        for policy in wanted.policy_arns:
            yield aws.iam.RolePolicyAttachment(
                f"{name}-{policy.rsplit('/', 1)[-1]}",
                role=role.name,
                policy_arn=policy,
                opts=ResourceOptions(parent=self._parent),
            )


def _configured(addon: Addon | None) -> dict[str, Any]:
    return {"configuration_values": addon.configuration} if addon and addon.configuration else {}
