"""`clusters.KEY.karpenter`: what Karpenter needs of AWS. Its chart and its NodePools are left to GitOps."""

from __future__ import annotations

from pydantic import Field

from settings.addons import ServiceAccountName
from settings.iam import GivenRoleArn
from settings.values import DnsLabel, Model, edited


class Karpenter(Model):
    """What Karpenter needs of AWS: a role of its controller, a profile of its nodes, and a queue of interruptions.

    The chart and NodePools are left to GitOps; the output `clusters.KEY.karpenter` has what they are told.
    """

    namespace: DnsLabel = Field(
        default="kube-system",
        description="the namespace of its controller",
        json_schema_extra=edited("replaces the association, which is refused while the cluster serves"),
    )
    service_account: ServiceAccountName = Field(
        default="karpenter",
        description="the ServiceAccount of its controller",
        json_schema_extra=edited("replaces the association, which is refused while the cluster serves"),
    )
    role_arn: GivenRoleArn | None = Field(
        default=None,
        description="the role of its controller, where others make roles; it trusts pods.eks.amazonaws.com; left out: "
        "one that the stack makes, with rights over what is tagged as this cluster's",
        json_schema_extra=edited("in place, for pods that start after it; their Deployment has to be restarted"),
    )

    @property
    def account(self) -> str:
        """The ServiceAccount, as NAMESPACE/NAME."""
        return f"{self.namespace}/{self.service_account}"
