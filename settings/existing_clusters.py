"""`clusters.KEY.existing`: a cluster that somebody else made, on which the stack binds Services and nothing else.

Refuses to own what such a cluster is (its version is read where it is asked for), and clusters of the stack's own
(clusters.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from settings.aws import AssumableRoleArn, ExternalId
from settings.bindings import AUTO_MODE, CONTROLLERS, BindingApi, level
from settings.clusters import ChartVersion, Cluster
from settings.kinds import WITH, WITHOUT, told_by
from settings.network import SecurityGroupId
from settings.values import Cidr, Model, Several, edited, rule, text

EksName = Annotated[
    str,
    rule(
        "CUT184",
        text(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"),
        "a cluster's name in EKS is at most 100 letters, digits, hyphens and underscores. EKS would find none. Take "
        "one from `aws eks list-clusters`",
    ),
]


class ExistingEks(Model):
    """Which cluster it is, and which security groups its nodes or pods have."""

    name: EksName = Field(
        description="its name in EKS",
        json_schema_extra=edited("binds the Services of the other cluster; refused while it serves"),
    )
    target_security_group_ids: Several[SecurityGroupId] = Field(
        default=(),
        description="the groups of what is registered, where that is not the cluster security group: nodes of a "
        "launch template or of Karpenter, pods with groups of their own",
    )
    assume_role: AssumableRoleArn | None = Field(
        default=None,
        description="the role by which the stack reads the cluster and writes what it has there, where that is in "
        "another account; the stack itself is in the account of its load balancers",
        json_schema_extra=edited("replaces the security group rules, which is refused while they serve"),
    )
    load_balancer_cidrs: Several[Cidr] = Field(
        default=(),
        description="ranges that are let in in place of the load balancers' security groups: those of their subnets, "
        "for a cluster in another VPC",
        json_schema_extra=edited("other rules, which is refused while they serve"),
    )


CrdLevel = Annotated[
    str,
    rule(
        "CUT288",
        text(r"[0-9]+\.[0-9]+"),
        'a level is a version of the controller as text, such as "2.13". What its CRDs know could not be told. Write '
        "major and minor, in quotes",
    ),
]


class Controller(Model):
    """The AWS Load Balancer Controller in the cluster."""

    managed_by: Literal["stack", "external", "autoMode"] = Field(
        default="external",
        description="who runs it: the stack, which installs it, somebody else who has done so already, or EKS Auto "
        "Mode, whose bindings are of another kind",
        json_schema_extra=edited("replaces the cluster's bindings, which is refused while they serve"),
    )
    version: ChartVersion | None = Field(default=None, description="the chart's version, where the stack installs it")
    crd_level: CrdLevel | None = Field(
        default=None,
        description="the version of the controller whose CRDs are there, where that is older than 3.0: Helm upgrades "
        "none, and an API server refuses fields that they do not know",
        json_schema_extra=edited("in place, in each binding"),
    )
    iam_role_arn_to_assume: AssumableRoleArn | None = Field(
        default=None,
        description="the role in the load balancers' account in which it registers targets, where the cluster is in "
        "another; its bindings name it",
        json_schema_extra=edited("in place, in each binding"),
    )
    assume_role_external_id: ExternalId | None = Field(
        default=None,
        description="the external id that the trust of that role asks for",
        json_schema_extra=edited("in place, in each binding"),
    )


class Bindings(Model):
    """The TargetGroupBindings in the cluster."""

    apply_by: Literal["stack", "gitops"] = Field(
        default="stack",
        description="who applies them: the stack, or GitOps, for which `cutover manifests KEY` prints them; then the "
        "stack needs no Kubernetes API, and its target groups there have names that never change",
        json_schema_extra=edited(
            "to gitops replaces the cluster's target groups, which is refused while they serve; back to stack keeps "
            "them, and their names"
        ),
    )


class ExistingCluster(Model):
    """A cluster that somebody else made, and goes on upgrading in place: read, never changed or deleted."""

    existing: ExistingEks = Field(description="the cluster: {name, targetSecurityGroupIds}")
    security_group_rules: Literal["manage", "none"] = Field(
        default="manage",
        description="whether the stack lets load balancers in; none where their owner has rules in a list that throws "
        "out others",
    )
    load_balancer_controller: Controller = Field(default=Controller(), description="its AWS Load Balancer Controller")
    bindings: Bindings = Field(default=Bindings(), description="its TargetGroupBindings")

    @property
    def own(self) -> bool:
        """Whether the stack makes it."""
        return False

    @property
    def binding_api(self) -> BindingApi:
        """Of which kind its TargetGroupBindings are."""
        if self.load_balancer_controller.managed_by == "autoMode":
            return AUTO_MODE
        told = self.load_balancer_controller.crd_level
        return CONTROLLERS.at(level(told)) if told else CONTROLLERS

    @property
    def role(self) -> str | None:
        """The role by which the stack reaches it; None where that is in the stack's own account."""
        return self.existing.assume_role

    @property
    def let_in(self) -> tuple[str, ...]:
        """The ranges from which load balancers come, in place of their security groups."""
        return self.existing.load_balancer_cidrs

    @property
    def registers_as(self) -> dict[str, str]:
        """What its bindings say of the role in which its controller registers targets, by their own names."""
        names = {"iam_role_arn_to_assume", "assume_role_external_id"}
        return self.load_balancer_controller.model_dump(by_alias=True, exclude_none=True, include=names)

    @property
    def named_groups(self) -> bool:
        """Whether its target groups have names that are known before they are made."""
        return self.bindings.apply_by == "gitops"


AnyCluster = Annotated[Annotated[Cluster, Tag(WITHOUT)] | Annotated[ExistingCluster, Tag(WITH)], told_by("existing")]
