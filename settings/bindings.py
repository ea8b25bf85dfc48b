"""The two kinds of TargetGroupBinding that there are: the AWS Load Balancer Controller's, and that of EKS Auto Mode.

Owns which fields each is sent. Refuses to own the object (components/binding.py, cutover/rules/manifests.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class BindingApi:
    """A version of an API that has TargetGroupBindings, and the fields that it is sent besides the Service."""

    version: str
    fields: frozenset[str]

    @property
    def path(self) -> str:
        """Where an API server lists those of all namespaces."""
        return f"/apis/{self.version}/targetgroupbindings"

    def spec(self, service: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        """Return a binding's specification, without what this API is not sent."""
        return {"serviceRef": service, **{name: value for name, value in fields.items() if name in self.fields}}


CONTROLLERS = BindingApi(
    "elbv2.k8s.aws/v1beta1",
    frozenset(
        {
            "targetGroupARN",
            "targetGroupName",
            "targetType",
            "targetGroupProtocol",
            "ipAddressType",
            "vpcID",
            "iamRoleArnToAssume",
            "assumeRoleExternalId",
        }
    ),
)

# It refuses targetGroupName (aws/containers-roadmap #2621) and fills in the rest, in the cluster's own VPC alone.
AUTO_MODE = BindingApi("eks.amazonaws.com/v1", frozenset({"targetGroupARN", "targetType"}))

AUTO_MODE_TAG = "eks:eks-cluster-name"
"""Of a target group: the cluster, by its name in EKS, whose Auto Mode may take targets out of it."""
