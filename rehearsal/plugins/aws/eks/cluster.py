"""The emulated cluster, which moto has, and of which the store has what moto has not.

From the provider's source and the EKS user guide. The store's document tells endpoint, issuer and security group,
version and deletion protection. Refuses to own anything inside a cluster, and EKS's limits (cloud/eks_limits.py).
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import TYPE_CHECKING, Any

from rehearsal.cloud import eks_limits
from rehearsal.cloud.eks_documents import (
    ACCESS_ENTRIES,
    ACCESS_POLICIES,
    ADDONS,
    CLUSTERS,
    DEFAULT_VERSION,
    POD_IDENTITIES,
)
from rehearsal.cloud.kubernetes.cluster import API_SERVERS
from rehearsal.cloud.session import AwsError, pairs
from rehearsal.plugins.aws.calls import retag, timestamp
from rehearsal.plugins.aws.ec2.security_group import delete_security_group
from rehearsal.plugins.aws.eks.access_entry import let_creator_in
from rehearsal.plugins.aws.eks.standing import find_cluster, needed_cluster
from rehearsal.plugins.aws.iam.standing import find_role
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
    one_of,
    set_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
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
    if find_role(aws, inputs["roleArn"]) is None:
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
            "securityGroup": _security_group(aws, name, vpc),
            **_kept(inputs, made["version"]),
        },
    )
    if inputs.get("accessConfig", {}).get("bootstrapClusterCreatorAdminPermissions", True):
        let_creator_in(aws, name)
    return name


def _api_server(aws: Aws, name: str, unique: str, made: Props) -> Props:
    """Return where a cluster's API answers. Where no API servers run, it has a name of AWS's, and nobody answers."""
    if servers := aws.store.get(API_SERVERS, ""):
        return {"endpoint": f"{servers['url']}/{name}/{unique}", "certificateAuthority": servers["authority"]}
    return {
        "endpoint": f"https://{unique}.gr7.{aws.region}.eks.amazonaws.com",
        "certificateAuthority": base64.b64encode(made["certificateAuthority"]["data"].encode()).decode(),
    }


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


def _security_group(aws: Aws, cluster: str, vpc: str) -> str:
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


def _read(aws: Aws, name: str, known: Props) -> Props | None:
    found, own = find_cluster(aws, name), aws.store.get(CLUSTERS, name)
    if found is None or own is None:
        return None
    network = known["vpcConfig"]
    return {
        **known,
        "name": name,
        "arn": found["arn"],
        "clusterId": "",
        "createdAt": timestamp(found["createdAt"]),
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


def _update(aws: Aws, name: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    own = needed_cluster(aws, "UpdateClusterConfig", name)
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
        retag(
            old,
            new,
            take=lambda keys: aws.ask("eks", "untag_resource", resourceArn=old["arn"], tagKeys=keys),
            give=lambda tags: aws.ask("eks", "tag_resource", resourceArn=old["arn"], tags=tags),
        )
    aws.store.put(CLUSTERS, name, {**own, **wanted})


def _delete(aws: Aws, name: str, state: Props) -> None:  # noqa: ARG001
    own = aws.store.get(CLUSTERS, name)
    if find_cluster(aws, name) is not None:
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


def _rule(inputs: Props) -> Iterator[str]:
    network = inputs["vpcConfig"]
    if not network["endpointPublicAccess"] and not network["endpointPrivateAccess"]:
        yield "private and public endpoint access cannot both be disabled"
    if not re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", inputs["name"]):
        yield f'invalid value for name "{inputs["name"]}": 1 to 100 alphanumeric characters, hyphens and underscores'


TYPE = Type(
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
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
    longest=100,
    rule=_rule,
)
