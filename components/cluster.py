"""One EKS cluster: control plane, nodes, add-ons, and the Kubernetes provider that talks to it.

Owns all that dies with the cluster in AWS. Refuses to know listeners and routes: it is given security groups and the
ports on which they reach its nodes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as k8s
from pulumi import ResourceOptions, ResourceTransformResult

from components import access, roles
from components.addons import Addons
from components.karpenter import Karpenter, KarpenterArgs
from components.nodes import NodeGroups, NodeGroupsArgs
from components.transforms import with_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import ResourceTransformArgs

    from components.transforms import Transform
    from settings.clusters import AccessEntry
    from settings.clusters import Cluster as ClusterSettings
    from settings.iam import Iam


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """A cluster in a network. ``eks_name`` is its name in EKS, unique in account and region; ``partition`` AWS's.

    ``login`` is what `aws eks get-token` needs besides, to be whom the provider of AWS is: EKS knows nobody else yet.
    ``private_subnets`` are by the places that a node group may name. ``node_counts`` is how many nodes a group is to
    have now; the number of one that it does not name is left alone.
    """

    cluster: ClusterSettings
    eks_name: str
    region: str
    partition: str
    login: Sequence[str]
    iam: Iam
    vpc_id: pulumi.Input[str]
    private_subnets: Mapping[str, pulumi.Input[str]]
    load_balancers: Mapping[str, access.LoadBalancerAccess]
    node_counts: Mapping[str, int] = field(default_factory=dict[str, int])


def _network(cidrs: Sequence[str], groups: Sequence[str]) -> list[Transform]:
    """Return what gives the cluster of the EKS component a public endpoint, if any CIDRs may reach it, and more groups.

    The component is not told of the endpoint: it would wait five minutes in every update for an API that does not
    answer. Of groups it takes one alone, as a resource.
    """
    opened = {"endpointPublicAccess": True, "publicAccessCidrs": list(cidrs)} if cidrs else {}
    more = {**opened, **({"securityGroupIds": list(groups)} if groups else {})}
    # Each transform is asked of each part of the component, and costs a preview two hundredths of a second there.
    if not more:
        return []

    def giving(args: ResourceTransformArgs) -> ResourceTransformResult | None:
        if args.type_ != "aws:eks/cluster:Cluster":
            return None
        given = with_part(args.props, "vpcConfig", lambda network: {**network, **more})
        return ResourceTransformResult(given, args.opts)

    return [giving]


def _roles(iam: Iam) -> list[Transform]:
    """Return what gives the role of the EKS component what every role has."""
    given = {"path": iam.path, "permissionsBoundary": iam.permissions_boundary}
    given = {key: value for key, value in given.items() if value}
    if not given:
        return []

    def giving(args: ResourceTransformArgs) -> ResourceTransformResult | None:
        if args.type_ != "aws:iam/role:Role":
            return None
        return ResourceTransformResult({**args.props, **given}, args.opts)

    return [giving]


class Cluster(pulumi.ComponentResource):
    """An EKS cluster.

    ``eks`` is what objects inside the cluster are ``deleted_with``; ``kubernetes`` is the provider for them, and waits
    until nodes and add-ons work; ``told`` is what others are told who work in it. Protected as a whole while it serves:
    the caller sets ``protect``.
    """

    eks: eks.Cluster
    eks_name: pulumi.Output[str]
    version: pulumi.Output[str]
    vpc_id: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    kubernetes: k8s.Provider
    told: Mapping[str, Any]

    def __init__(self, name: str, args: ClusterArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:cluster:Cluster", name, None, opts)
        self._name, self._args = name, args
        self.eks = self._control_plane()
        addons = Addons(self, name, self.eks, args.cluster.addons, args.iam)
        groups = NodeGroups(self, name, self._node_groups_args(addons.before_nodes()))
        nodes = groups.groups
        on_nodes = addons.on_nodes(nodes)
        # Managed nodes have only the security group that EKS makes for the cluster.
        self.security_group_id = self.eks.eks_cluster.vpc_config.cluster_security_group_id
        access.let_in(self, name, self.security_group_id, args.load_balancers)
        self.eks_name, self.vpc_id = self.eks.eks_cluster.name, pulumi.Output.from_input(args.vpc_id)
        self.version = self.eks.eks_cluster.version
        self.told = self._karpenter(groups.role_arn)
        for entry, granted in args.cluster.access_entries.items():
            self._grant_access(entry, granted)
        self.kubernetes = access.kubernetes(
            name, self._kubeconfig(), args.eks_name, ResourceOptions(parent=self, depends_on=[*nodes, *on_nodes])
        )
        self.register_outputs({"eksName": self.eks_name})

    def _kubeconfig(self) -> pulumi.Output[str]:
        def logging_in(text: str) -> str:
            config = json.loads(text)
            config["users"][0]["user"]["exec"]["args"] += self._args.login
            return json.dumps(config)

        made = self.eks.kubeconfig_json
        return made.apply(logging_in) if self._args.login else made

    def _control_plane(self) -> eks.Cluster:
        cluster = self._args.cluster
        return eks.Cluster(
            self._name,
            name=self._args.eks_name,
            version=cluster.version,
            vpc_id=self._args.vpc_id,
            private_subnet_ids=list(self._args.private_subnets.values()),
            authentication_mode=eks.AuthenticationMode.API,
            skip_default_node_group=True,
            skip_default_security_groups=True,
            bootstrap_self_managed_addons=False,
            use_default_vpc_cni=True,
            kube_proxy_addon_options=eks.KubeProxyAddonOptionsArgs(enabled=False),
            coredns_addon_options=eks.CoreDnsAddonOptionsArgs(enabled=False),
            endpoint_private_access=True,
            endpoint_public_access=False,
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type=cluster.support_type),
            cluster_tags=cluster.tags or None,
            enabled_cluster_log_types=cluster.log_types,
            encryption_config_key_arn=cluster.encryption_key_arn,
            kubernetes_service_ip_address_range=cluster.service_cidr,
            deletion_protection=cluster.deletion_protection,
            service_role=roles.given(f"{self._name}-role", cluster.cluster_role_arn, ResourceOptions(parent=self)),
            opts=ResourceOptions(
                parent=self,
                depends_on=self._logs(),
                transforms=[
                    *_network(cluster.endpoint.public_cidrs, cluster.security_group_ids),
                    *_roles(self._args.iam),
                ],
            ),
        )

    def _karpenter(self, node_role_arn: pulumi.Output[str]) -> Mapping[str, Any]:
        wanted = self._args.cluster.karpenter
        if wanted is None:
            return {}
        args = KarpenterArgs(
            karpenter=wanted,
            cluster_name=self.eks_name,
            eks_name=self._args.eks_name,
            region=self._args.region,
            partition=self._args.partition,
            node_role_arn=node_role_arn,
            iam=self._args.iam,
        )
        made = Karpenter(self._name, args, ResourceOptions(parent=self))
        return {
            "karpenter": {
                "interruptionQueue": made.queue,
                "instanceProfile": made.instance_profile,
                "serviceAccount": wanted.account,
                "securityGroupId": self.security_group_id,
                "subnetIds": list(self._args.private_subnets.values()),
            }
        }

    def _logs(self) -> Sequence[pulumi.Resource]:
        """Make the log group that EKS would make, with a retention. It outlives the cluster, as what it was asked does.

        Not protected, so that it may be left to itself at any time.
        """
        days = self._args.cluster.log_retention_days
        if days is None:
            return ()
        name = f"/aws/eks/{self._args.eks_name}/cluster"
        kept = ResourceOptions(parent=self, protect=False, retain_on_delete=True)
        return [aws.cloudwatch.LogGroup(f"{self._name}-logs", name=name, retention_in_days=days, opts=kept)]

    def _node_groups_args(self, after: Sequence[pulumi.Resource]) -> NodeGroupsArgs:
        return NodeGroupsArgs(
            cluster=self.eks,
            groups=self._args.cluster.node_groups,
            counts=self._args.node_counts,
            subnets=self._args.private_subnets,
            partition=self._args.partition,
            iam=self._args.iam,
            role_arn=self._args.cluster.node_role_arn,
            tags=self._args.cluster.tags,
            after=after,
        )

    def _grant_access(self, entry: str, granted: AccessEntry) -> None:
        # Not through the EKS component, whose children are protected while the cluster serves: access must be taken
        # back at any time.
        child = ResourceOptions(parent=self, protect=False)
        name = f"{self._name}-access-{entry}"
        made = aws.eks.AccessEntry(name, cluster_name=self.eks_name, principal_arn=granted.principal_arn, opts=child)
        for policy in granted.policies:
            aws.eks.AccessPolicyAssociation(
                f"{name}-{policy}",
                cluster_name=self.eks_name,
                principal_arn=made.principal_arn,
                policy_arn=f"arn:{self._args.partition}:eks::aws:cluster-access-policy/{policy}",
                access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                opts=child,
            )
