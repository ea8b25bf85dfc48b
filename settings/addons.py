"""`clusters.NAME.addons`: the EKS add-ons of a cluster, each pinned, and the role of one that calls AWS.

Refuses to know which versions EKS has (cutover/engine/ground.py asks), and what an add-on does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import ConfigDict, Field, JsonValue

from settings.aws import AssumableRoleArn
from settings.iam import PolicyArn
from settings.values import DnsLabel, Model, Several, edited, rule, text

if TYPE_CHECKING:
    from collections.abc import Mapping

_WRITTEN = {  # how those that every cluster has are written, by EKS's names
    "vpc-cni": "vpcCni",
    "kube-proxy": "kubeProxy",
    "eks-pod-identity-agent": "podIdentityAgent",
    "metrics-server": "metricsServer",
}

_FORM = re.compile(r"(?=.{1,100}$)[a-z0-9]+([_-][a-z0-9]+)*")

AddonVersion = Annotated[
    str,
    rule(
        "CUT139",
        text(r"v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+"),
        "an add-on version is text such as v1.20.4-eksbuild.2. An unpinned add-on updates unplanned. Take one from "
        "`aws eks describe-addon-versions`",
    ),
]

AddonName = Annotated[
    str,
    rule(
        "CUT176",
        lambda value: value not in _WRITTEN,
        "an add-on that every cluster has is written "
        f"{', '.join(f'{written} ({name})' for name, written in _WRITTEN.items())}, or coredns. Under two names it "
        "would be two versions. Write it so",
    ),
    rule(
        "CUT175",
        text(_FORM),
        "this is neither vpcCni, kubeProxy, podIdentityAgent, coredns or metricsServer, nor a name that EKS has for an "
        "add-on, which is lower-case letters, digits and hyphens. EKS would know none of it. Take one from `aws eks "
        "describe-addon-versions`, such as aws-ebs-csi-driver",
    ),
]

ServiceAccountName = Annotated[
    str,
    rule(
        "CUT177",
        text(r"(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?"),
        "a ServiceAccount's name is lower-case letters, digits, hyphens and dots. EKS would associate a role with "
        "nobody. Write it as the pods have it, such as ebs-csi-controller-sa",
    ),
]


class AddonRole(Model):
    """The role of an add-on's pods, by EKS Pod Identity: one that is there, or one of the cluster's own."""

    service_account: ServiceAccountName = Field(
        description="the ServiceAccount of its pods, such as ebs-csi-controller-sa",
        json_schema_extra=edited("replaces the association"),
    )
    namespace: DnsLabel = Field(
        default="kube-system",
        description="its namespace",
        json_schema_extra=edited("replaces the association"),
    )
    role_arn: AssumableRoleArn | None = Field(
        default=None, description="a role that is there, and trusts pods.eks.amazonaws.com"
    )
    policy_arns: Several[PolicyArn] = Field(
        default=(), description="managed policies of a role that is made for it; in place of roleArn"
    )


class Addon(Model):
    """An add-on beside those that every cluster has."""

    version: AddonVersion = Field(description="its version")
    configuration: dict[str, JsonValue] = Field(
        default={}, description="its configuration, as `aws eks describe-addon-configuration` describes it"
    )
    role: AddonRole | None = Field(default=None, description="the role of its pods, where they call AWS")
    before_nodes: bool = Field(
        default=False,
        description="whether nodes wait for it; then it must work without any, as a network plugin does",
    )


class Addons(Model):
    """The EKS add-ons of a cluster, each pinned: an unpinned one updates unplanned.

    The five that every cluster has, and any other by EKS's name of it.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[AddonName, Addon]  # pyright: ignore[reportIncompatibleVariableOverride]
    OTHERS: ClassVar[type[Model] | None] = Addon

    vpc_cni: AddonVersion = Field(description="vpc-cni")
    kube_proxy: AddonVersion = Field(description="kube-proxy")
    pod_identity_agent: AddonVersion = Field(description="eks-pod-identity-agent")
    coredns: AddonVersion = Field(description="coredns")
    metrics_server: AddonVersion = Field(description="metrics-server")

    @property
    def others(self) -> Mapping[str, Addon]:
        """Those that not every cluster has, by EKS's name."""
        return self.__pydantic_extra__

    @property
    def pinned(self) -> dict[str, str]:
        """The versions of all, by EKS's name."""
        return {
            "vpc-cni": self.vpc_cni,
            "kube-proxy": self.kube_proxy,
            "eks-pod-identity-agent": self.pod_identity_agent,
            "coredns": self.coredns,
            "metrics-server": self.metrics_server,
            **{name: addon.version for name, addon in self.others.items()},
        }
