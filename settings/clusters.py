"""`clusters`: what each key takes, and what another value would cost."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from settings.addons import Addons
from settings.aws import RoleArn
from settings.bindings import CONTROLLERS, BindingApi
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
    refused,
    rule,
    text,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHARED = ipaddress.IPv4Network("100.64.0.0/10")  # among providers and their customers

MAX_INSTANCE_TYPES = 20  # of a node group (EKS's API reference)

MAX_PUBLIC_CIDRS = 40

_WIDEST = 8  # no organisation has more, and 40 of them are a sixth of everyone

_ARM = re.compile(r"a1\.|[a-z]+[0-9]+g")  # AWS names a Graviton processor by a g behind the generation


def one_node_group(types: Sequence[str]) -> Sequence[str]:
    """Check that all instance types run one machine image, and that they are not more than EKS takes."""
    arm = [name for name in types if _ARM.match(name)]
    if arm and len(arm) < len(types):
        says = f"{', '.join(arm)} has an Arm processor, and the others have none. A node group has one machine image"
        raise refused("CUT104", f"{says}, so EKS would refuse it. Keep to one kind")
    if len(types) > MAX_INSTANCE_TYPES:
        says = f"more than {MAX_INSTANCE_TYPES} instance types. EKS would refuse the node group once the cluster is up"
        raise refused("CUT105", f"{says}. Leave some out")
    return types


def nodes(least: int) -> BeforeValidator:
    """Take a number of nodes of at least ``least``."""
    return rule(
        "CUT107",
        lambda value: type(value) is int and value >= least,
        f"a number of nodes here is a whole number of at least {least}. EKS would refuse another, or have no node "
        "for the add-ons. Write e.g. 3, without quotes",
    )


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

ClusterName = Annotated[
    str,
    rule(
        "CUT121",
        text(DNS_LABEL),
        "a cluster's name is lower-case letters, digits and hyphens, at most 63, since its mesh has it too. EKS or the "
        "API server would refuse it once the network is up. Write e.g. shop-v1-36",
    ),
]

InstanceType = Annotated[
    str,
    rule(
        "CUT129",
        text(r"[a-z]+[a-z0-9-]*[0-9][a-z0-9-]*\.(nano|micro|small|medium|large|[0-9]*xlarge|metal(-[0-9]+xl)?)"),
        "this is no EC2 instance type. EKS would refuse the node group once the cluster is up. Write e.g. m7i.large",
    ),
]

InstanceTypes = Annotated[Several[InstanceType], AfterValidator(one_node_group)]

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

NodeMinimum = Annotated[int, nodes(0)]

NodeCount = Annotated[int, nodes(1)]

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


class Nodes(Model):
    """The managed node group of a cluster."""

    instance_types: InstanceTypes = Field(
        min_length=1,
        description="EC2 instance types; a change replaces the group",
        json_schema_extra=edited("replaces the nodes, which is refused while the cluster serves"),
    )
    min_size: NodeMinimum = Field(
        description="the least number of nodes",
        json_schema_extra=edited("in place; where there are fewer nodes, that many come"),
    )
    desired_size: NodeCount = Field(
        description="the number of nodes at the start, and again when it is edited; in between an autoscaler's",
        json_schema_extra=edited(
            "gives that many nodes; where somebody has changed their number meanwhile, it takes none away, which the "
            "preview says"
        ),
    )
    max_size: NodeCount = Field(
        description="the greatest number of nodes",
        json_schema_extra=edited("in place; where there are more nodes, the others go"),
    )
    operating_system: Literal["AL2023", "BOTTLEROCKET"] = Field(
        default="AL2023",
        description="the node image",
        json_schema_extra=edited("replaces the nodes, which is refused while the cluster serves"),
    )
    capacity_type: Literal["ON_DEMAND", "SPOT"] = Field(
        default="ON_DEMAND",
        description="how the nodes are bought",
        json_schema_extra=edited("replaces the nodes, which is refused while the cluster serves"),
    )

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The least, the desired and the greatest number of nodes."""
        return self.min_size, self.desired_size, self.max_size


class Controllers(Model):
    """Chart versions of what runs in the cluster."""

    load_balancer: ChartVersion = Field(description="chart aws-load-balancer-controller")
    app_mesh: ChartVersion | None = Field(
        default=None,
        description="chart appmesh-controller, for mesh.kind appMesh",
        json_schema_extra=edited("in place; without a mesh nothing reads it, which every run says"),
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
    nodes: Nodes = Field(description="its nodes")
    addons: Addons = Field(description="its add-ons")
    controllers: Controllers = Field(description="its controllers")
    endpoint: Endpoint = Field(default=Endpoint(), description="its API endpoint")
    access_entries: dict[Name, AccessEntry] = Field(default={}, description="who may use its API")
    log_types: Several[Literal["api", "audit", "authenticator", "controllerManager", "scheduler"]] = Field(
        default=("api", "audit", "authenticator"), description="control-plane logs"
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
            "given: in place, and for good; left out again, or another key: replaces the cluster, which is refused "
            "while it serves"
        ),
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
