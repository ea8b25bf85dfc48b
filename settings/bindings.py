"""The two kinds of TargetGroupBinding that there are: the AWS Load Balancer Controller's, and that of EKS Auto Mode.

Owns which fields each is sent, and which release of the controller brought them. Refuses to own the object
(components/binding.py, cutover/rules/manifests.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class BindingApi:
    """A version of an API that has TargetGroupBindings, and the fields that it is sent besides the Service.

    ``level`` is the version of the controller whose CRD is there; None: one that knows them all.
    """

    version: str
    fields: frozenset[str]
    level: tuple[int, int] | None = None

    @property
    def known(self) -> frozenset[str]:
        """The fields that the CRD there declares."""
        level = self.level
        return self.fields if level is None else frozenset(f for f in self.fields if level >= SINCE.get(f, (0, 0)))

    @property
    def path(self) -> str:
        """Where an API server lists those of all namespaces."""
        return f"/apis/{self.version}/targetgroupbindings"

    def at(self, level: tuple[int, int]) -> BindingApi:
        """Return it as a cluster serves it whose CRD is of a version of the controller."""
        return replace(self, level=level)

    def spec(self, service: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        """Return a binding's specification, without what this API is not sent."""
        return {"serviceRef": service, **{name: value for name, value in fields.items() if name in self.known}}


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

SINCE = {
    "ipAddressType": (2, 4),
    "vpcID": (2, 8),
    "targetGroupName": (2, 11),
    "iamRoleArnToAssume": (2, 12),  # its pull request #4026
    "assumeRoleExternalId": (2, 12),
    "targetGroupProtocol": (3, 0),
}
"""By field, the version of the controller that brought it (its releases; aws/containers-roadmap #2621)."""


def level(text: str) -> tuple[int, int]:
    """Return a controller's version as numbers.

    :raises ValueError: it is none
    """
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


# It refuses targetGroupName (aws/containers-roadmap #2621) and fills in the rest, in the cluster's own VPC alone.
AUTO_MODE = BindingApi("eks.amazonaws.com/v1", frozenset({"targetGroupARN", "targetType"}))

AUTO_MODE_TAG = "eks:eks-cluster-name"
"""Of a target group: the cluster, by its name in EKS, whose Auto Mode may take targets out of it."""
