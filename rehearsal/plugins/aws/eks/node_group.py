"""The emulated managed node group, of which the store has the tags: moto changes those of clusters alone.

From the provider's source and the EKS user guide. Refuses to own nodes (world/pods.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud import eks_limits
from rehearsal.cloud.eks_documents import NODE_GROUP_TAGS
from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.calls import find, named
from rehearsal.plugins.aws.eks.standing import GONE, needed_cluster
from rehearsal.plugins.aws.iam.standing import find_role
from rehearsal.plugins.aws.table import (
    ALWAYS,
    COMPUTED,
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REQUIRED,
    REQUIRED_REPLACES,
    Field,
    Type,
    between,
    block,
    list_of,
    one_of,
    set_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    cluster = inputs["clusterName"]
    own = needed_cluster(aws, "CreateNodegroup", cluster)
    name = named(inputs, "nodeGroupName")
    if find_role(aws, inputs["nodeRoleArn"]) is None:
        raise AwsError(
            "eks",
            "CreateNodegroup",
            "InvalidParameterException",
            f"The role with arn {inputs['nodeRoleArn']} cannot be found.",
        )
    _judge_sizes("CreateNodegroup", inputs["scalingConfig"])
    eks_limits.judge_instance_types(inputs.get("instanceTypes", ()))
    eks_limits.judge_release("CreateNodegroup", inputs.get("releaseVersion"), inputs.get("version", own["version"]))
    asked = ("amiType", "capacityType", "diskSize", "instanceTypes", "labels", "launchTemplate", "releaseVersion")
    aws.ask(
        "eks",
        "create_nodegroup",
        clusterName=cluster,
        nodegroupName=name,
        nodeRole=inputs["nodeRoleArn"],
        subnets=inputs["subnetIds"],
        scalingConfig=inputs["scalingConfig"],
        taints=inputs.get("taints", []),
        tags=inputs["tagsAll"],
        updateConfig=inputs.get("updateConfig", {"maxUnavailable": 1}),
        version=inputs.get("version", own["version"]),
        **{key: inputs[key] for key in asked if key in inputs},
    )
    aws.store.put(NODE_GROUP_TAGS, f"{cluster}:{name}", inputs["tagsAll"])
    return f"{cluster}:{name}"


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    cluster, name = made.split(":", 1)
    found = find(aws, GONE, "eks", "describe_nodegroup", "nodegroup", clusterName=cluster, nodegroupName=name)
    if found is None:
        return None
    groups = [{"name": group["name"]} for group in found["resources"]["autoScalingGroups"]]
    return {
        **known,
        "arn": found["nodegroupArn"],
        "nodeGroupName": name,
        "nodeGroupNamePrefix": known.get("nodeGroupNamePrefix", ""),
        "status": found["status"],
        "scalingConfig": found["scalingConfig"],
        "resources": [{"autoscalingGroups": groups, "remoteAccessSecurityGroupId": ""}],
        "amiType": known.get("amiType", "AL2023_x86_64_STANDARD"),
        "capacityType": known.get("capacityType", "ON_DEMAND"),
        "diskSize": known.get("diskSize", 20),
        "instanceTypes": known.get("instanceTypes", ["t3.medium"]),
        "version": known.get("version", found["version"]),
        "releaseVersion": known.get("releaseVersion", f"{known.get('version', found['version'])}.0-20260801"),
        "updateConfig": known.get("updateConfig", {"maxUnavailable": 1}),
        "tagsAll": known.get("tagsAll", {}),
    }


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    cluster, name = made.split(":", 1)
    own = needed_cluster(aws, "UpdateNodegroupVersion", cluster)
    version = new.get("version", own["version"])
    if "version" in changed and eks_limits.release(version) > eks_limits.release(own["version"]):
        raise AwsError(
            "eks",
            "UpdateNodegroupVersion",
            "InvalidRequestException",
            f"Nodegroup Kubernetes version {version} is newer than the version of cluster {cluster}, {own['version']}",
        )
    eks_limits.judge_release("UpdateNodegroupVersion", new.get("releaseVersion"), version)
    # Before all else, as the provider does.
    aws.store.put(NODE_GROUP_TAGS, made, new["tagsAll"])
    if changed & {"scalingConfig", "labels", "taints", "updateConfig"}:
        _judge_sizes("UpdateNodegroupConfig", new["scalingConfig"])
        labels = new.get("labels", {})
        gone = [key for key in old.get("labels", {}) if key not in labels]
        old_taints, taints = old.get("taints", []), new.get("taints", [])
        aws.ask(
            "eks",
            "update_nodegroup_config",
            clusterName=cluster,
            nodegroupName=name,
            scalingConfig=new["scalingConfig"],
            updateConfig=new.get("updateConfig", {"maxUnavailable": 1}),
            labels={"addOrUpdateLabels": labels, "removeLabels": gone},
            taints={
                "addOrUpdateTaints": taints,
                "removeTaints": [taint for taint in old_taints if taint not in taints],
            },
        )


def _delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    cluster, name = made.split(":", 1)
    aws.found(GONE, "eks", "delete_nodegroup", clusterName=cluster, nodegroupName=name)
    aws.store.delete(NODE_GROUP_TAGS, made)


def _rule(inputs: Props) -> Iterator[str]:
    policy = inputs.get("updateConfig", {"maxUnavailable": 1})
    if ("maxUnavailable" in policy) == ("maxUnavailablePercentage" in policy):
        yield "update_config: exactly one of `max_unavailable`, `max_unavailable_percentage` must be specified"


def _judge_sizes(operation: str, scaling: Props) -> None:
    """Refuse sizes that are out of order, in EKS's words; the provider plans whatever it is given."""
    least, desired, most = scaling["minSize"], scaling["desiredSize"], scaling["maxSize"]
    if least > desired:
        said = f"Minimum capacity {least} can't be greater than desired size {desired}"
        raise AwsError("eks", operation, "InvalidParameterException", said)
    if desired > most:
        said = f"desired capacity {desired} can't be greater than max size {most}"
        raise AwsError("eks", operation, "InvalidParameterException", said)


TYPE = Type(
    "aws:eks/nodeGroup:NodeGroup",
    "EKS Node Group",
    {
        "amiType": COMPUTED_REPLACES,
        "capacityType": Field(computed=True, replaces=ALWAYS, check=one_of("ON_DEMAND", "SPOT", "CAPACITY_BLOCK")),
        "clusterName": REQUIRED_REPLACES,
        "diskSize": COMPUTED_REPLACES,
        "forceUpdateVersion": GIVEN,
        "instanceTypes": list_of(computed=True, replaces=ALWAYS),
        "labels": GIVEN,
        "launchTemplate": block({"id": COMPUTED_REPLACES, "name": COMPUTED_REPLACES, "version": REQUIRED}),
        "nodeGroupName": COMPUTED_REPLACES,
        "nodeGroupNamePrefix": COMPUTED_REPLACES,
        "nodeRepairConfig": block({"enabled": GIVEN}),
        "nodeRoleArn": REQUIRED_REPLACES,
        "releaseVersion": COMPUTED,
        "scalingConfig": block({"desiredSize": REQUIRED, "maxSize": REQUIRED, "minSize": REQUIRED}, required=True),
        "subnetIds": set_of(required=True, replaces=ALWAYS),
        "tags": GIVEN,
        "taints": set_of({"effect": REQUIRED, "key": REQUIRED, "value": GIVEN}),
        "updateConfig": block(
            {
                "maxUnavailable": Field(check=between(1, 100)),
                "maxUnavailablePercentage": Field(check=between(1, 100)),
                "updateStrategy": Field(computed=True, check=one_of("DEFAULT", "MINIMAL")),
            },
            computed=True,
        ),
        "version": COMPUTED,
        "arn": OUTPUT,
        "resources": OUTPUT,
        "status": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    rule=_rule,
    named="nodeGroupName",
    longest=63,
)
