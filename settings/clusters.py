"""`clusters`: what each key takes, and what another value would cost."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import Field

from settings.addons import Addons
from settings.aws import RoleArn, Tags
from settings.bindings import CONTROLLERS, BindingApi
from settings.iam import GivenRoleArn
from settings.karpenter import Karpenter
from settings.network import SecurityGroupId
from settings.nodes import ONE_GROUP, AnyNodes, Nodes
from settings.values import (
    DNS_LABEL,
    NOWHERE,
    PRIVATE,
    DnsLabel,
    Model,
    Name,
    Several,
    cidr,
    edited,
    rule,
    text,
    within,
)

_SHARED = ipaddress.IPv4Network("100.64.0.0/10")  # among providers and their customers

MAX_PUBLIC_CIDRS = 40

_WIDEST = 8  # no organisation has more, and 40 of them are a sixth of everyone

Version = Annotated[
    str,
    rule(
        "CUT112",
        text(r"1\.[0-9]{2}"),
        'a Kubernetes version is text such as "1.36". Without quotes YAML reads a number, and 1.30 becomes 1.3. '
        "Write it in quotes, without a patch level",
    ),
]

ServiceCidr = Annotated[
    str,
    rule(
        "CUT116",
        lambda value: cidr(value, 12, 24) and within(value, PRIVATE),
        "a service range is /12 to /24, inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16. EKS would refuse the "
        "cluster. Write e.g. 172.20.0.0/16, or leave it out",
    ),
]

KeyArn = Annotated[
    str,
    rule(
        "CUT187",
        text(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+"),
        "this is no ARN of a KMS key. EKS would refuse the cluster once the network is up. Take one from `aws kms "
        "describe-key`; the ARN of an alias is none",
    ),
]

_RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""Days, of CloudWatch Logs (API reference, PutRetentionPolicy)."""

RetentionDays = Annotated[
    int,
    rule(
        "CUT450",
        lambda value: type(value) is int and value in _RETENTIONS,
        f"CloudWatch keeps logs for {', '.join(map(str, _RETENTIONS[:-1]))} or {_RETENTIONS[-1]} days. It would refuse "
        "another number, and the cluster waits for its log group. Write one of these, or leave it out",
    ),
]

MAX_SECURITY_GROUPS = 5  # beside the one that EKS makes (API reference, VpcConfigRequest)

ClusterName = Annotated[
    str,
    rule(
        "CUT121",
        text(DNS_LABEL),
        "a cluster's name is lower-case letters, digits and hyphens, at most 63, since its mesh has it too. EKS or the "
        "API server would refuse it once the network is up. Write e.g. shop-v1-36",
    ),
]

ChartVersion = Annotated[
    str,
    rule(
        "CUT138",
        text(r"[0-9]+\.[0-9]+\.[0-9]+"),
        "a chart version is text such as 3.5.0. A range or a number would let the controller change unplanned. "
        "Write all three parts",
    ),
]

AccessPolicy = Annotated[
    str,
    rule(
        "CUT144",
        text(r"Amazon[A-Za-z]+Policy"),
        "an EKS access policy is named like AmazonEKSViewPolicy, without an ARN. EKS would refuse the entry once the "
        "cluster is up. Take one from `aws eks list-access-policies`",
    ),
]

RestrictedCidr = Annotated[
    str,
    rule(
        "CUT167",
        lambda value: not within(value, (*PRIVATE, _SHARED, *NOWHERE)),
        "nobody comes from this range by way of the internet. EKS would refuse the cluster. Write the public addresses "
        "of offices and runners; whoever is in the VPC reaches the private endpoint without them",
    ),
    rule(
        "CUT168",
        lambda value: cidr(value, shortest=_WIDEST),
        f"this is no IPv4 range, or wider than /{_WIDEST}, which with a few of its like is everyone. A Kubernetes API "
        "open to everyone is one leaked token from a lost cluster. Write the ranges of offices and runners, or leave "
        "publicCidrs out",
    ),
]

NODE_PORTS = (30000, 32767)  # the API server's default range


class Controllers(Model):
    """Chart versions of what runs in the cluster, and the roles of its pods."""

    load_balancer: ChartVersion = Field(description="chart aws-load-balancer-controller")
    app_mesh: ChartVersion | None = Field(
        default=None,
        description="chart appmesh-controller, for mesh.kind appMesh",
        json_schema_extra=edited("in place; without a mesh nothing reads it, which every run says"),
    )
    load_balancer_role_arn: GivenRoleArn | None = Field(
        default=None,
        description="the role of that controller, where others make roles; it trusts pods.eks.amazonaws.com; left "
        "out: one that the stack makes",
        json_schema_extra=edited("in place, for pods that start after it; their Deployment has to be restarted"),
    )
    app_mesh_role_arn: GivenRoleArn | None = Field(
        default=None,
        description="the role of that controller, likewise",
        json_schema_extra=edited("in place, for pods that start after it; without a mesh nothing reads it"),
    )


class Endpoint(Model):
    """Who reaches the Kubernetes API from outside the VPC."""

    public_cidrs: Several[RestrictedCidr] = Field(
        default=(),
        max_length=MAX_PUBLIC_CIDRS,
        description="ranges that reach the public endpoint; empty: private only",
    )


class AccessEntry(Model):
    """A principal that may use the Kubernetes API. The role that runs `pulumi up` is an administrator already."""

    principal_arn: RoleArn = Field(description="the IAM role or user", json_schema_extra=edited("replaces the entry"))
    policies: Several[AccessPolicy] = Field(
        default=("AmazonEKSClusterAdminPolicy",), description="EKS access policies, cluster-wide"
    )


class Cluster(Model):
    """One EKS cluster. Clusters differ in this data only."""

    version: Version = Field(
        description="the Kubernetes version; a new version is a new key",
        json_schema_extra=edited("refused: it would upgrade the cluster in place"),
    )
    nodes: AnyNodes = Field(description="its nodes: one group, or groups by name ({NAME: {...}})")
    addons: Addons = Field(description="its add-ons")
    controllers: Controllers = Field(description="its controllers")
    karpenter: Karpenter | None = Field(
        default=None,
        description="what Karpenter needs of AWS ({}); left out: nothing",
        json_schema_extra=edited(
            "given: in place; left out again: taken from Karpenter, which is refused while the cluster serves"
        ),
    )
    endpoint: Endpoint = Field(default=Endpoint(), description="its API endpoint")
    access_entries: dict[Name, AccessEntry] = Field(default={}, description="who may use its API")
    log_types: Several[Literal["api", "audit", "authenticator", "controllerManager", "scheduler"]] = Field(
        default=("api", "audit", "authenticator"), description="control-plane logs"
    )
    log_retention_days: RetentionDays | None = Field(
        default=None,
        description="how long CloudWatch keeps them; the log group is then made before the cluster, and stays behind "
        "when that is retired, until its logs have expired; left out: EKS makes it, and they are kept for good",
        json_schema_extra=edited(
            "in place; left out later, the log group is no longer the stack's and stays as it is; given to a cluster "
            "that stands, it is refused, since its log group is there already"
        ),
    )
    tags: Tags = Field(
        default={},
        description="tags of the cluster and its node groups in EKS, beside those of aws:defaultTags, of which one of "
        "the same key gives way; instances get none of them",
    )
    security_group_ids: Several[SecurityGroupId] = Field(
        default=(),
        max_length=MAX_SECURITY_GROUPS,
        description="more security groups of the control plane's network interfaces, beside the one that EKS makes; "
        "nodes have that one alone",
    )
    support_type: Literal["STANDARD", "EXTENDED"] = Field(
        default="EXTENDED",
        description="under STANDARD EKS upgrades the cluster by itself when standard support ends",
    )
    deletion_protection: bool = Field(default=False, description="refuse its deletion, in AWS and in Pulumi")
    encryption_key_arn: KeyArn | None = Field(
        default=None,
        description="a KMS key of the region, by which EKS seals Secrets once more; left out: by its own key alone",
        json_schema_extra=edited(
            "given: in place, and for good; left out again: replaces the cluster, which is refused while it serves; "
            "another key: EKS takes none, so give it to the next cluster"
        ),
    )
    cluster_role_arn: GivenRoleArn | None = Field(
        default=None,
        description="the role of the control plane, where others make roles; it trusts eks.amazonaws.com, and has "
        "AmazonEKSClusterPolicy; left out: one that the stack makes",
        json_schema_extra=edited("replaces the cluster, which is refused while it serves"),
    )
    node_role_arn: GivenRoleArn | None = Field(
        default=None,
        description="the role of its nodes, where others make roles; it trusts ec2.amazonaws.com, and EKS lets its "
        "nodes in by itself; left out: one that the stack makes",
        json_schema_extra=edited("replaces all its nodes, which is refused while it serves"),
    )
    service_cidr: ServiceCidr | None = Field(
        default=None,
        description="the range of Services; left out: EKS chooses; it cannot be changed later",
        json_schema_extra=edited(
            "replaces the cluster, which is refused while it serves; left out later, it changes nothing, which the "
            "preview says"
        ),
    )
    name: ClusterName | None = Field(
        default=None,
        description="its name in EKS, unique in account and region; left out: <stack>-<cluster>; to change it, add a "
        "new cluster",
        json_schema_extra=edited("replaces the cluster, which is refused while it serves"),
    )
    mesh_name: DnsLabel | None = Field(
        default=None,
        description="the name of its App Mesh mesh; left out: its name in EKS",
        json_schema_extra=edited("replaces the mesh; without one nothing reads it, which every run says"),
    )

    @property
    def node_groups(self) -> dict[str, Nodes]:
        """Its node groups by name; where the file has one, that is called nodes."""
        return {ONE_GROUP: self.nodes} if isinstance(self.nodes, Nodes) else self.nodes

    @property
    def given_roles(self) -> dict[str, tuple[str, str]]:
        """The roles that others made for it, by key: the ARN, and the service that is to take it, without its domain.

        Those of add-ons are the add-ons' own (addons.py).
        """
        keys = {
            "clusterRoleArn": (self.cluster_role_arn, "eks"),
            "nodeRoleArn": (self.node_role_arn, "ec2"),
            "karpenter.roleArn": (self.karpenter.role_arn if self.karpenter else None, "pods.eks"),
            "controllers.loadBalancerRoleArn": (self.controllers.load_balancer_role_arn, "pods.eks"),
            "controllers.appMeshRoleArn": (self.controllers.app_mesh_role_arn, "pods.eks"),
        }
        return {key: (arn, taker) for key, (arn, taker) in keys.items() if arn}

    @property
    def own(self) -> bool:
        """Whether the stack makes it."""
        return True

    @property
    def binding_api(self) -> BindingApi:
        """Of which kind its TargetGroupBindings are."""
        return CONTROLLERS

    @property
    def role(self) -> None:
        """The role by which the stack reaches it: its own."""
        return

    @property
    def let_in(self) -> tuple[str, ...]:
        """The ranges from which load balancers come, in place of their security groups: none, the VPC is theirs."""
        return ()

    @property
    def registers_as(self) -> dict[str, str]:
        """What its bindings say of another role in which its controller registers targets: nothing."""
        return {}

    @property
    def named_groups(self) -> bool:
        """Whether its target groups have names that are known before they are made: a replacement could not be."""
        return False
