"""The emulated EKS types. Clusters and node groups lie in moto; the rest, which moto has not, in the rehearsal's store.

A cluster of the store holds what the API tells of it beyond moto: its own endpoint, issuer and security group, version
and deletion protection. Refuses to own anything inside a cluster.
"""

from __future__ import annotations

import base64
import re
import secrets
import string
from typing import TYPE_CHECKING, Any

from rehearsal.cloud import eks_limits
from rehearsal.cloud.eks_documents import (
    ACCESS_ENTRIES,
    ACCESS_POLICIES,
    ADDONS,
    CLUSTERS,
    DEFAULT_VERSION,
    NO_SUCH_ENTRY,
    NODE_GROUP_TAGS,
    POD_IDENTITIES,
)
from rehearsal.cloud.kubernetes.cluster import API_SERVERS
from rehearsal.cloud.refused import Refused
from rehearsal.cloud.session import AwsError, pairs, prefixed
from rehearsal.plugins.aws.ec2 import delete_security_group
from rehearsal.plugins.aws.table import (
    ALWAYS,
    COMPUTED,
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REPLACES,
    REQUIRED,
    REQUIRED_REPLACES,
    Field,
    Type,
    block,
    defaults,
    list_of,
    one_of,
    set_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_GONE = ("ResourceNotFoundException",)
_ALPHANUMERIC = string.ascii_lowercase + string.digits
_ADDON_VERSIONS = {  # what `mostRecent` finds for a cluster of Kubernetes 1.35
    "coredns": "v1.13.2-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
    "kube-proxy": "v1.35.0-eksbuild.2",
    "metrics-server": "v0.8.0-eksbuild.6",
    "vpc-cni": "v1.21.1-eksbuild.3",
    "aws-ebs-csi-driver": "v1.54.0-eksbuild.1",
}
_NEED_NODES = frozenset({"coredns", "metrics-server", "aws-ebs-csi-driver"})  # deployments: degraded without a node


def _cluster(aws: Aws, name: str) -> dict[str, Any] | None:
    answer = aws.found(_GONE, "eks", "describe_cluster", name=name)
    return answer["cluster"] if answer else None


def _needed(aws: Aws, operation: str, name: str) -> Props:
    """Return the store's document of a cluster that must exist."""
    document = aws.store.get(CLUSTERS, name)
    if document is None or _cluster(aws, name) is None:
        raise AwsError("eks", operation, "ResourceNotFoundException", f"No cluster found for name: {name}.", status=404)
    return document


# Clusters


def _create_cluster(aws: Aws, inputs: Props) -> str:
    name, network = inputs["name"], inputs["vpcConfig"]
    subnets = aws.ask("ec2", "describe_subnets", SubnetIds=network["subnetIds"])["Subnets"]
    if len({subnet["AvailabilityZone"] for subnet in subnets}) < 2:  # noqa: PLR2004 - as the message says
        raise AwsError(
            "eks",
            "CreateCluster",
            "InvalidParameterException",
            "Subnets specified must be in at least two different AZs",
        )
    eks_limits.judge_cluster(aws, name, inputs, subnets)
    if _role(aws, inputs["roleArn"]) is None:
        raise AwsError(
            "eks",
            "CreateCluster",
            "InvalidParameterException",
            f"Role with arn: {inputs['roleArn']}, could not be assumed",
        )
    made = aws.ask(
        "eks",
        "create_cluster",
        name=name,
        roleArn=inputs["roleArn"],
        resourcesVpcConfig=_network(network),
        logging=_logging(inputs),
        tags=inputs["tagsAll"],
        kubernetesNetworkConfig={
            "serviceIpv4Cidr": inputs.get("kubernetesNetworkConfig", {}).get("serviceIpv4Cidr", "172.20.0.0/16"),
            "ipFamily": inputs.get("kubernetesNetworkConfig", {}).get("ipFamily", "ipv4"),
        },
        version=inputs.get("version", DEFAULT_VERSION),
        encryptionConfig=[inputs["encryptionConfig"]] if "encryptionConfig" in inputs else [],
    )["cluster"]
    vpc = subnets[0]["VpcId"]
    unique = secrets.token_hex(16).upper()
    aws.store.put(
        CLUSTERS,
        name,
        {
            **_api_server(aws, name, unique, made),
            "issuer": f"https://oidc.eks.{aws.region}.amazonaws.com/id/{unique}",
            "vpcId": vpc,
            "securityGroup": _cluster_security_group(aws, name, vpc),
            **_kept(inputs, made["version"]),
        },
    )
    if inputs.get("accessConfig", {}).get("bootstrapClusterCreatorAdminPermissions", True):
        _let_creator_in(aws, name)
    return name


def _let_creator_in(aws: Aws, cluster: str) -> None:
    """Make the entry that EKS makes for whoever makes a cluster, under the principal and not its session."""
    caller = aws.ask("sts", "get_caller_identity")["Arn"]
    principal = re.sub(r":sts:(.*):assumed-role/([^/]+)/.*", r":iam:\1:role/\2", caller).replace(":sts:", ":iam:")
    arn = _arn(aws, "access-entry", cluster, secrets.token_hex(16))
    entry = {"clusterName": cluster, "principalArn": principal, "accessEntryArn": arn, "type": "STANDARD"}
    aws.store.put(ACCESS_ENTRIES, f"{cluster}:{principal}", {**entry, "tagsAll": {}})


def _api_server(aws: Aws, name: str, unique: str, made: Props) -> Props:
    """Return where a cluster's API answers. Where no API servers run, it has a name of AWS's, and nobody answers."""
    if servers := aws.store.get(API_SERVERS, ""):
        return {"endpoint": f"{servers['url']}/{name}/{unique}", "certificateAuthority": servers["authority"]}
    return {
        "endpoint": f"https://{unique}.gr7.{aws.region}.eks.amazonaws.com",
        "certificateAuthority": base64.b64encode(made["certificateAuthority"]["data"].encode()).decode(),
    }


def _role(aws: Aws, arn: str) -> dict[str, Any] | None:
    return aws.found(("NoSuchEntity",), "iam", "get_role", RoleName=arn.rsplit("/", 1)[-1])


def _kept(inputs: Props, version: str) -> Props:
    mode = inputs.get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP")
    return {
        "version": inputs.get("version", version),
        "authenticationMode": mode,
        "deletionProtection": bool(inputs.get("deletionProtection")),
        "autoMode": bool(inputs.get("computeConfig", {}).get("enabled")),
    }


def _network(network: Props) -> dict[str, Any]:
    return {name: value for name, value in network.items() if name not in ("clusterSecurityGroupId", "vpcId")}


def _logging(inputs: Props) -> dict[str, Any]:
    return {"clusterLogging": [{"types": inputs.get("enabledClusterLogTypes", []), "enabled": True}]}


def _cluster_security_group(aws: Aws, cluster: str, vpc: str) -> str:
    """Make the group that EKS makes for control plane and managed nodes: it lets itself in and everything out."""
    tags = {
        "Name": f"eks-cluster-sg-{cluster}",
        f"kubernetes.io/cluster/{cluster}": "owned",
        "aws:eks:cluster-name": cluster,
    }
    group = aws.ask(
        "ec2",
        "create_security_group",
        GroupName=f"eks-cluster-sg-{cluster}-{secrets.randbelow(10**10)}",
        Description="EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as "
        "well as any managed workloads.",
        VpcId=vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": pairs(tags)}],
    )["GroupId"]
    itself = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
    aws.ask("ec2", "authorize_security_group_ingress", GroupId=group, IpPermissions=itself)
    return group


def _read_cluster(aws: Aws, name: str, known: Props) -> Props | None:
    found, own = _cluster(aws, name), aws.store.get(CLUSTERS, name)
    if found is None or own is None:
        return None
    network = known["vpcConfig"]
    return {
        **known,
        "name": name,
        "arn": found["arn"],
        "clusterId": "",
        "createdAt": found["createdAt"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "platformVersion": found["platformVersion"],
        "status": found["status"],
        "version": own["version"],
        "endpoint": own["endpoint"],
        "deletionProtection": own["deletionProtection"],
        "certificateAuthority": {"data": own["certificateAuthority"]},
        "identities": [{"oidcs": [{"issuer": own["issuer"]}]}],
        "accessConfig": {
            "bootstrapClusterCreatorAdminPermissions": True,
            **known.get("accessConfig", {}),
            "authenticationMode": own["authenticationMode"],
        },
        "kubernetesNetworkConfig": {
            "ipFamily": "ipv4",
            "serviceIpv4Cidr": "172.20.0.0/16",
            **known.get("kubernetesNetworkConfig", {}),
        },
        "upgradePolicy": known.get("upgradePolicy", {"supportType": "EXTENDED"}),
        "vpcConfig": {
            "publicAccessCidrs": ["0.0.0.0/0"],
            "securityGroupIds": [],
            **network,
            "clusterSecurityGroupId": own["securityGroup"],
            "vpcId": own["vpcId"],
        },
        **aws.tags_found(found.get("tags", {}), known),
    }


def _update_cluster(aws: Aws, name: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    own = _needed(aws, "UpdateClusterConfig", name)
    wanted = _kept(new, own["version"])
    if eks_limits.release(wanted["version"]) < eks_limits.release(own["version"]):
        raise AwsError(
            "eks",
            "UpdateClusterVersion",
            "InvalidParameterException",
            f"Unsupported Kubernetes minor version update from {own['version']} to {wanted['version']}",
        )
    if eks_limits.release(wanted["version"])[1] > eks_limits.release(own["version"])[1] + 1:
        raise AwsError(
            "eks",
            "UpdateClusterVersion",
            "InvalidParameterException",
            f"Unsupported Kubernetes minor version update from {own['version']} to {wanted['version']}",
        )
    if changed & {"vpcConfig", "enabledClusterLogTypes"}:
        eks_limits.judge_public_access("UpdateClusterConfig", new["vpcConfig"])
        aws.ask("eks", "update_cluster_config", name=name, resourcesVpcConfig=_network(new["vpcConfig"]))
        aws.ask("eks", "update_cluster_config", name=name, logging=_logging(new))
    if "tagsAll" in changed:
        if gone := [key for key in old.get("tagsAll", {}) if key not in new["tagsAll"]]:
            aws.ask("eks", "untag_resource", resourceArn=old["arn"], tagKeys=gone)
        if new["tagsAll"]:
            aws.ask("eks", "tag_resource", resourceArn=old["arn"], tags=new["tagsAll"])
    aws.store.put(CLUSTERS, name, {**own, **wanted})


def _delete_cluster(aws: Aws, name: str, state: Props) -> None:  # noqa: ARG001
    own = aws.store.get(CLUSTERS, name)
    if _cluster(aws, name) is not None:
        if own and own["deletionProtection"]:
            raise AwsError(
                "eks",
                "DeleteCluster",
                "InvalidRequestException",
                f"Cluster {name} cannot be deleted because deletion protection is enabled",
            )
        aws.ask("eks", "delete_cluster", name=name)
    for kind in (ADDONS, ACCESS_ENTRIES, ACCESS_POLICIES, POD_IDENTITIES):
        for key, document in aws.store.all(kind).items():
            if document["clusterName"] == name:
                aws.store.delete(kind, key)
    if own:
        delete_security_group(aws, own["securityGroup"], {})
    aws.store.delete(CLUSTERS, name)


def _cluster_rule(inputs: Props) -> Iterator[str]:
    network = inputs["vpcConfig"]
    if not network["endpointPublicAccess"] and not network["endpointPrivateAccess"]:
        yield "private and public endpoint access cannot both be disabled"
    if not re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", inputs["name"]):
        yield f'invalid value for name "{inputs["name"]}": 1 to 100 alphanumeric characters, hyphens and underscores'


# Node groups


def _create_node_group(aws: Aws, inputs: Props) -> str:
    cluster = inputs["clusterName"]
    own = _needed(aws, "CreateNodegroup", cluster)
    name = inputs.get("nodeGroupName") or prefixed(inputs["nodeGroupNamePrefix"])
    if _role(aws, inputs["nodeRoleArn"]) is None:
        raise AwsError(
            "eks",
            "CreateNodegroup",
            "InvalidParameterException",
            f"The role with arn {inputs['nodeRoleArn']} cannot be found.",
        )
    _judge_sizes("CreateNodegroup", inputs["scalingConfig"])
    eks_limits.judge_instance_types(inputs.get("instanceTypes", ()))
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
        version=inputs.get("version", own["version"]),
        **{key: inputs[key] for key in asked if key in inputs},
    )
    aws.store.put(NODE_GROUP_TAGS, f"{cluster}:{name}", inputs["tagsAll"])
    return f"{cluster}:{name}"


def _read_node_group(aws: Aws, made: str, known: Props) -> Props | None:
    cluster, name = made.split(":", 1)
    answer = aws.found(_GONE, "eks", "describe_nodegroup", clusterName=cluster, nodegroupName=name)
    if answer is None:
        return None
    found = answer["nodegroup"]
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


def _update_node_group(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    cluster, name = made.split(":", 1)
    own = _needed(aws, "UpdateNodegroupVersion", cluster)
    version = new.get("version", own["version"])
    if "version" in changed and eks_limits.release(version) > eks_limits.release(own["version"]):
        raise AwsError(
            "eks",
            "UpdateNodegroupVersion",
            "InvalidRequestException",
            f"Nodegroup Kubernetes version {version} is newer than the version of cluster {cluster}, {own['version']}",
        )
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
            labels={"addOrUpdateLabels": labels, "removeLabels": gone},
            taints={
                "addOrUpdateTaints": taints,
                "removeTaints": [taint for taint in old_taints if taint not in taints],
            },
        )


def _delete_node_group(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    cluster, name = made.split(":", 1)
    aws.found(_GONE, "eks", "delete_nodegroup", clusterName=cluster, nodegroupName=name)
    aws.store.delete(NODE_GROUP_TAGS, made)


def _judge_sizes(operation: str, scaling: Props) -> None:
    """Refuse sizes that are out of order, in EKS's words; the provider plans whatever it is given."""
    least, desired, most = scaling["minSize"], scaling["desiredSize"], scaling["maxSize"]
    if least > desired:
        said = f"Minimum capacity {least} can't be greater than desired size {desired}"
        raise AwsError("eks", operation, "InvalidParameterException", said)
    if desired > most:
        said = f"desired capacity {desired} can't be greater than max size {most}"
        raise AwsError("eks", operation, "InvalidParameterException", said)


# What lies in the store alone


def _arn(aws: Aws, kind: str, *parts: str) -> str:
    return f"arn:{aws.partition}:eks:{aws.region}:{aws.account}:{kind}/{'/'.join(parts)}"


def newest_addon_version(name: str) -> str:
    """Return the version of an add-on that AWS calls the most recent.

    Raises:
        AwsError: the add-on is none of EKS's own.

    """
    if name not in _ADDON_VERSIONS:
        raise AwsError(
            "eks", "DescribeAddonVersions", "InvalidParameterException", f"Addon {name} specified is not supported"
        )
    return _ADDON_VERSIONS[name]


def _judge_addon(aws: Aws, operation: str, inputs: Props, kubernetes: str) -> None:
    newest_addon_version(inputs["addonName"])
    version = inputs.get("addonVersion", _ADDON_VERSIONS[inputs["addonName"]])
    if not eks_limits.compatible(aws.store, inputs["addonName"], version, kubernetes):
        raise AwsError("eks", operation, "InvalidParameterException", "Addon version specified is not supported")


def _create_addon(aws: Aws, inputs: Props) -> str:
    cluster, addon = inputs["clusterName"], inputs["addonName"]
    own = _needed(aws, "CreateAddon", cluster)
    _judge_addon(aws, "CreateAddon", inputs, own["version"])
    key = f"{cluster}:{addon}"
    if aws.store.get(ADDONS, key):
        raise AwsError("eks", "CreateAddon", "ResourceInUseException", "Addon already exists.", status=409)
    nodes = aws.ask("eks", "list_nodegroups", clusterName=cluster)["nodegroups"]
    if addon in _NEED_NODES and not nodes and not own["autoMode"]:
        raise Refused(
            f"1 error occurred:\n\t* waiting for EKS Add-On ({key}) create: timeout while waiting for state to become "
            "'ACTIVE' (last state: 'DEGRADED', timeout: 20m0s): InsufficientNumberOfReplicas: The add-on is unhealthy "
            "because it doesn't have the desired number of replicas.\n\n"
        )
    aws.store.put(ADDONS, key, {**inputs, "arn": _arn(aws, "addon", cluster, addon, secrets.token_hex(16))})
    return key


def _read_addon(aws: Aws, made: str, known: Props) -> Props | None:
    found = aws.store.get(ADDONS, made)
    if found is None or _cluster(aws, found["clusterName"]) is None:
        return None
    return {
        **known,
        "arn": found["arn"],
        "addonVersion": found.get("addonVersion", _ADDON_VERSIONS[found["addonName"]]),
        "configurationValues": found.get("configurationValues", ""),
        "tagsAll": found["tagsAll"],
    }


def _update_addon(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    own = _needed(aws, "UpdateAddon", new["clusterName"])
    _judge_addon(aws, "UpdateAddon", new, own["version"])
    aws.store.put(ADDONS, made, {**new, "arn": old["arn"]})


def _create_access_entry(aws: Aws, inputs: Props) -> str:
    own = _needed(aws, "CreateAccessEntry", inputs["clusterName"])
    if own["authenticationMode"] == "CONFIG_MAP":
        raise AwsError(
            "eks",
            "CreateAccessEntry",
            "InvalidRequestException",
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this "
            "operation.",
        )
    key = f"{inputs['clusterName']}:{inputs['principalArn']}"
    if aws.store.get(ACCESS_ENTRIES, key):
        raise AwsError(
            "eks",
            "CreateAccessEntry",
            "ResourceInUseException",
            "The specified access entry resource is already in use on this cluster.",
            status=409,
        )
    arn = _arn(aws, "access-entry", inputs["clusterName"], secrets.token_hex(16))
    aws.store.put(ACCESS_ENTRIES, key, {**inputs, "accessEntryArn": arn})
    return key


def _read_access_entry(aws: Aws, made: str, known: Props) -> Props | None:
    found = aws.store.get(ACCESS_ENTRIES, made)
    if found is None:
        return None
    return {
        **known,
        "accessEntryArn": found["accessEntryArn"],
        "kubernetesGroups": found.get("kubernetesGroups", []),
        "userName": found.get("userName", found["principalArn"]),
        "tagsAll": found["tagsAll"],
    }


def _update_access_entry(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    _needed(aws, "UpdateAccessEntry", new["clusterName"])
    aws.store.put(ACCESS_ENTRIES, made, {**new, "accessEntryArn": old["accessEntryArn"]})


def _delete_access_entry(aws: Aws, made: str, state: Props) -> None:
    aws.store.delete(ACCESS_ENTRIES, made)
    for key, policy in aws.store.all(ACCESS_POLICIES).items():
        if (policy["clusterName"], policy["principalArn"]) == (state["clusterName"], state["principalArn"]):
            aws.store.delete(ACCESS_POLICIES, key)


def _create_access_policy(aws: Aws, inputs: Props) -> str:
    cluster, principal, policy = inputs["clusterName"], inputs["principalArn"], inputs["policyArn"]
    _needed(aws, "AssociateAccessPolicy", cluster)
    if not policy.startswith(f"arn:{aws.partition}:eks::aws:cluster-access-policy/"):
        raise AwsError(
            "eks", "AssociateAccessPolicy", "InvalidParameterException", "The policyArn parameter format is not valid"
        )
    if aws.store.get(ACCESS_ENTRIES, f"{cluster}:{principal}") is None:
        raise AwsError(
            "eks",
            "AssociateAccessPolicy",
            "ResourceNotFoundException",
            NO_SUCH_ENTRY,
            status=404,
        )
    key = f"{cluster}#{principal}#{policy}"
    aws.store.put(ACCESS_POLICIES, key, inputs)
    return key


def _read_access_policy(aws: Aws, made: str, known: Props) -> Props | None:
    found = aws.store.get(ACCESS_POLICIES, made)
    return None if found is None else {**known, "associatedAt": known.get("associatedAt", ""), "modifiedAt": ""}


def _create_pod_identity(aws: Aws, inputs: Props) -> str:
    _needed(aws, "CreatePodIdentityAssociation", inputs["clusterName"])
    pair = ("clusterName", "namespace", "serviceAccount")
    with aws.judging:
        for key, other in aws.store.all(POD_IDENTITIES).items():
            if all(other[name] == inputs[name] for name in pair):
                raise AwsError(
                    "eks",
                    "CreatePodIdentityAssociation",
                    "ResourceInUseException",
                    f"Association already exists: {key}",
                    status=409,
                )
        made = "a-" + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(17))
        arn = _arn(aws, "podidentityassociation", inputs["clusterName"], made)
        aws.store.put(POD_IDENTITIES, made, {**inputs, "associationArn": arn})
    return made


def _read_pod_identity(aws: Aws, made: str, known: Props) -> Props | None:
    found = aws.store.get(POD_IDENTITIES, made)
    if found is None:
        return None
    return {
        **known,
        "associationId": made,
        "associationArn": found["associationArn"],
        "disableSessionTags": found.get("disableSessionTags", False),
        "externalId": "",
        "tagsAll": found["tagsAll"],
    }


def _update_pod_identity(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    _needed(aws, "UpdatePodIdentityAssociation", new["clusterName"])
    aws.store.put(POD_IDENTITIES, made, {**new, "associationArn": old["associationArn"]})


def _forgetter(kind: str) -> Any:
    def delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
        aws.store.delete(kind, made)

    return delete


TYPES = (
    Type(
        "aws:eks/cluster:Cluster",
        "EKS Cluster",
        {
            "accessConfig": block(
                {
                    "authenticationMode": Field(computed=True, check=one_of("API", "API_AND_CONFIG_MAP", "CONFIG_MAP")),
                    "bootstrapClusterCreatorAdminPermissions": REPLACES,
                },
                computed=True,
            ),
            "bootstrapSelfManagedAddons": Field(default=True, replaces=ALWAYS),
            "computeConfig": block(
                {
                    "enabled": GIVEN,
                    "nodePools": set_of(),
                    "nodeRoleArn": Field(replaces=frozenset({"update", "delete"})),
                }
            ),
            "deletionProtection": COMPUTED,
            "enabledClusterLogTypes": set_of(),
            "encryptionConfig": block(
                {"provider": block({"keyArn": REQUIRED}, required=True), "resources": set_of(required=True)},
                replaces=frozenset({"delete"}),
            ),
            "forceUpdateVersion": GIVEN,
            "kubernetesNetworkConfig": block(
                {
                    "elasticLoadBalancing": block({"enabled": GIVEN}),
                    "ipFamily": COMPUTED_REPLACES,
                    "serviceIpv4Cidr": COMPUTED_REPLACES,
                },
                computed=True,
            ),
            "name": COMPUTED_REPLACES,
            "roleArn": REQUIRED_REPLACES,
            "storageConfig": block({"blockStorage": block({"enabled": GIVEN})}),
            "tags": GIVEN,
            "upgradePolicy": block(
                {"supportType": Field(computed=True, check=one_of("EXTENDED", "STANDARD"))}, computed=True
            ),
            "version": COMPUTED,
            "vpcConfig": block(
                {
                    "endpointPrivateAccess": defaults(False),
                    "endpointPublicAccess": defaults(True),
                    "publicAccessCidrs": set_of(computed=True),
                    "securityGroupIds": set_of(),
                    "subnetIds": set_of(required=True),
                    "clusterSecurityGroupId": OUTPUT,
                    "vpcId": OUTPUT,
                },
                required=True,
            ),
            "zonalShiftConfig": block({"enabled": GIVEN}),
            "arn": OUTPUT,
            "certificateAuthority": OUTPUT,
            "clusterId": OUTPUT,
            "createdAt": OUTPUT,
            "endpoint": OUTPUT,
            "identities": OUTPUT,
            "platformVersion": OUTPUT,
            "status": OUTPUT,
        },
        create=_create_cluster,
        read=_read_cluster,
        update=_update_cluster,
        delete=_delete_cluster,
        named="name",
        longest=100,
        rule=_cluster_rule,
    ),
    Type(
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
            "updateConfig": block({"maxUnavailable": GIVEN, "maxUnavailablePercentage": GIVEN}, computed=True),
            "version": COMPUTED,
            "arn": OUTPUT,
            "resources": OUTPUT,
            "status": OUTPUT,
        },
        create=_create_node_group,
        read=_read_node_group,
        update=_update_node_group,
        delete=_delete_node_group,
        named="nodeGroupName",
        longest=63,
    ),
    Type(
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
        create=_create_addon,
        read=_read_addon,
        update=_update_addon,
        delete=_forgetter(ADDONS),
    ),
    Type(
        "aws:eks/accessEntry:AccessEntry",
        "EKS Access Entry",
        {
            "clusterName": REQUIRED_REPLACES,
            "kubernetesGroups": set_of(computed=True),
            "principalArn": REQUIRED_REPLACES,
            "tags": GIVEN,
            "type": Field(default="STANDARD", replaces=ALWAYS),
            "userName": COMPUTED,
            "accessEntryArn": OUTPUT,
        },
        create=_create_access_entry,
        read=_read_access_entry,
        update=_update_access_entry,
        delete=_delete_access_entry,
    ),
    Type(
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "EKS Access Policy Association",
        {
            "accessScope": block(
                {
                    "namespaces": set_of(replaces=ALWAYS),
                    "type": Field(required=True, replaces=ALWAYS, check=one_of("cluster", "namespace")),
                },
                required=True,
                replaces=ALWAYS,
            ),
            "clusterName": REQUIRED_REPLACES,
            "policyArn": REQUIRED_REPLACES,
            "principalArn": REQUIRED_REPLACES,
            "associatedAt": OUTPUT,
            "modifiedAt": OUTPUT,
        },
        create=_create_access_policy,
        read=_read_access_policy,
        delete=_forgetter(ACCESS_POLICIES),
    ),
    Type(
        "aws:eks/podIdentityAssociation:PodIdentityAssociation",
        "EKS Pod Identity Association",
        {
            "clusterName": REQUIRED_REPLACES,
            "disableSessionTags": COMPUTED,
            "namespace": REQUIRED_REPLACES,
            "roleArn": REQUIRED,
            "serviceAccount": REQUIRED_REPLACES,
            "tags": GIVEN,
            "targetRoleArn": GIVEN,
            "associationArn": OUTPUT,
            "associationId": OUTPUT,
            "externalId": OUTPUT,
        },
        create=_create_pod_identity,
        read=_read_pod_identity,
        update=_update_pod_identity,
        delete=_forgetter(POD_IDENTITIES),
    ),
)
