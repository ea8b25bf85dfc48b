"""A cluster that somebody else made, looked up and never changed, in the place of one of the stack's own.

Owns what the stack needs to know of it, the way into it where the stack needs one, and the security group rules by
which load balancers reach what runs there. Refuses to declare anything else: its maker goes on owning it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pulumi import InvokeOptions, ResourceOptions

from components import access

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settings.existing_clusters import ExistingCluster as ClusterSettings

_API = "client.authentication.k8s.io/v1beta1"


@dataclass(frozen=True, kw_only=True)
class ExistingClusterArgs:
    """A cluster by its name in EKS. ``login`` is what `aws eks get-token` needs besides its region and name.

    ``cloud`` is the provider by which it is looked up.
    """

    cluster: ClusterSettings
    region: str
    login: Sequence[str]
    load_balancers: Mapping[str, access.LoadBalancerAccess]
    cloud: aws.Provider


class ExistingCluster(pulumi.ComponentResource):
    """A cluster, with what `Cluster` tells of its own.

    ``kubernetes`` is None where the stack has nothing to do inside; ``eks`` is None, since nothing inside goes with it.
    """

    eks: None
    eks_name: pulumi.Output[str]
    version: pulumi.Output[str]
    vpc_id: pulumi.Output[str]
    kubernetes: k8s.Provider | None
    told: Mapping[str, Any]

    def __init__(self, name: str, args: ExistingClusterArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:existing_cluster:ExistingCluster", name, None, opts)
        wanted = args.cluster
        found = aws.eks.get_cluster_output(name=wanted.existing.name, opts=InvokeOptions(provider=args.cloud))
        self.eks, self.eks_name, self.version, self.told = None, found.name, found.version, {}
        self.vpc_id = found.vpc_config.vpc_id
        if wanted.security_group_rules == "manage":
            given = wanted.existing.target_security_group_ids
            groups = {group: group for group in given} or {"": found.vpc_config.cluster_security_group_id}
            for group, group_id in groups.items():
                access.let_in(self, f"{name}-{group}" if group else name, group_id, args.load_balancers)
        self.kubernetes = None
        if wanted.bindings.apply_by == "stack":
            self.kubernetes = access.kubernetes(
                name, self._kubeconfig(found, args), wanted.existing.name, ResourceOptions(parent=self)
            )
        self.register_outputs({"eksName": self.eks_name})

    @staticmethod
    def _kubeconfig(found: pulumi.Output[aws.eks.GetClusterResult], args: ExistingClusterArgs) -> pulumi.Output[str]:
        name = args.cluster.existing.name
        login = ["--region", args.region, "eks", "get-token", "--cluster-name", name, "--output", "json", *args.login]

        def written(cluster: aws.eks.GetClusterResult) -> str:
            server = {
                "server": cluster.endpoint,
                "certificate-authority-data": cluster.certificate_authorities[0].data,
            }
            return json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "kubernetes", "cluster": server}],
                    "contexts": [{"name": "aws", "context": {"cluster": "kubernetes", "user": "aws"}}],
                    "current-context": "aws",
                    "users": [{"name": "aws", "user": {"exec": {"apiVersion": _API, "command": "aws", "args": login}}}],
                }
            )

        return found.apply(written)
