"""The emulated add-on: EKS's own, in a version that the cluster's Kubernetes can have.

From the API's documentation; moto has none. Refuses to own what an add-on does.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from rehearsal.cloud import eks_limits
from rehearsal.cloud.eks_documents import ADDONS
from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.calls import arn_of, one_error
from rehearsal.plugins.aws.eks.standing import find_cluster, needed_cluster
from rehearsal.plugins.aws.eks.stored import forgetter
from rehearsal.plugins.aws.table import (
    COMPUTED,
    GIVEN,
    OUTPUT,
    REQUIRED,
    REQUIRED_REPLACES,
    Field,
    Type,
    one_of,
    set_of,
)

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_VERSIONS = {  # what `mostRecent` finds for a cluster of Kubernetes 1.35
    "coredns": "v1.13.2-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
    "kube-proxy": "v1.35.0-eksbuild.2",
    "metrics-server": "v0.8.0-eksbuild.6",
    "vpc-cni": "v1.21.1-eksbuild.3",
    "aws-ebs-csi-driver": "v1.54.0-eksbuild.1",
}
_NEED_NODES = frozenset({"coredns", "metrics-server", "aws-ebs-csi-driver"})  # deployments: degraded without a node


def newest_addon_version(name: str) -> str:
    """Return the version of an add-on that AWS calls the most recent.

    Raises:
        AwsError: the add-on is none of EKS's own.

    """
    if name not in _VERSIONS:
        raise AwsError(
            "eks", "DescribeAddonVersions", "InvalidParameterException", f"Addon {name} specified is not supported"
        )
    return _VERSIONS[name]


def _judge(aws: Aws, operation: str, inputs: Props, kubernetes: str) -> None:
    newest_addon_version(inputs["addonName"])
    version = inputs.get("addonVersion", _VERSIONS[inputs["addonName"]])
    if not eks_limits.compatible(aws.store, inputs["addonName"], version, kubernetes):
        raise AwsError("eks", operation, "InvalidParameterException", "Addon version specified is not supported")


def _create(aws: Aws, inputs: Props) -> str:
    cluster, addon = inputs["clusterName"], inputs["addonName"]
    own = needed_cluster(aws, "CreateAddon", cluster)
    _judge(aws, "CreateAddon", inputs, own["version"])
    key = f"{cluster}:{addon}"
    if aws.store.get(ADDONS, key):
        raise AwsError("eks", "CreateAddon", "ResourceInUseException", "Addon already exists.", status=409)
    nodes = aws.ask("eks", "list_nodegroups", clusterName=cluster)["nodegroups"]
    if addon in _NEED_NODES and not nodes and not own["autoMode"]:
        raise one_error(
            f"waiting for EKS Add-On ({key}) create: timeout while waiting for state to become 'ACTIVE' (last state: "
            "'DEGRADED', timeout: 20m0s): InsufficientNumberOfReplicas: The add-on is unhealthy because it doesn't "
            "have the desired number of replicas."
        )
    aws.store.put(ADDONS, key, {**inputs, "arn": arn_of(aws, "eks", "addon", cluster, addon, secrets.token_hex(16))})
    return key


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    found = aws.store.get(ADDONS, made)
    if found is None or find_cluster(aws, found["clusterName"]) is None:
        return None
    return {
        **known,
        "arn": found["arn"],
        "addonVersion": found.get("addonVersion", _VERSIONS[found["addonName"]]),
        "configurationValues": found.get("configurationValues", ""),
        "tagsAll": found["tagsAll"],
    }


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    own = needed_cluster(aws, "UpdateAddon", new["clusterName"])
    _judge(aws, "UpdateAddon", new, own["version"])
    aws.store.put(ADDONS, made, {**new, "arn": old["arn"]})


TYPE = Type(
    "aws:eks/addon:Addon",
    "EKS Add-On",
    {
        "addonName": REQUIRED_REPLACES,
        "addonVersion": COMPUTED,
        "clusterName": REQUIRED_REPLACES,
        "configurationValues": COMPUTED,
        "podIdentityAssociations": set_of({"roleArn": REQUIRED, "serviceAccount": REQUIRED}),
        "preserve": GIVEN,
        "resolveConflictsOnCreate": Field(check=one_of("NONE", "OVERWRITE")),
        "resolveConflictsOnUpdate": Field(check=one_of("NONE", "OVERWRITE", "PRESERVE")),
        "serviceAccountRoleArn": GIVEN,
        "tags": GIVEN,
        "arn": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=forgetter(ADDONS),
)
