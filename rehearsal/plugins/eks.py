"""The emulated `eks` provider plugin: the components of pulumi-eks 4.4.0, by the children that they make.

Types, names, inputs and options of the children are those of the real component for the shape that this project uses:
API authentication, no default node group, no default security groups, no built-in add-ons. Refuses every input that
leads elsewhere, by name. Refuses to own what the children are: they go to the `aws` and `kubernetes` plugins.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import json
import os
import re
import signal
import sys
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as kubernetes
from pulumi.errors import InputPropertyError
from pulumi.provider import ConstructResult, Provider, main

from rehearsal.cloud.kubernetes.cluster import Cluster as ApiServer
from rehearsal.cloud.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

Inputs = dict[str, Any]

_CLUSTER_POLICY = "AmazonEKSClusterPolicy"
_CLUSTER_INPUTS = frozenset(
    {
        "accessEntries",
        "authenticationMode",
        "bootstrapSelfManagedAddons",
        "clusterTags",
        "corednsAddonOptions",
        "createOidcProvider",
        "deletionProtection",
        "enableConfigMapMutable",
        "enabledClusterLogTypes",
        "encryptionConfigKeyArn",
        "endpointPrivateAccess",
        "endpointPublicAccess",
        "ipFamily",
        "kubeProxyAddonOptions",
        "kubernetesServiceIpAddressRange",
        "name",
        "privateSubnetIds",
        "publicAccessCidrs",
        "publicSubnetIds",
        "skipDefaultNodeGroup",
        "skipDefaultSecurityGroups",
        "subnetIds",
        "tags",
        "upgradePolicy",
        "useDefaultVpcCni",
        "version",
        "vpcId",
    }
)
_NODE_GROUP_INPUTS = frozenset(
    {
        "amiType",
        "capacityType",
        "cluster",
        "clusterName",
        "diskSize",
        "enableIMDSv2",
        "forceUpdateVersion",
        "ignoreScalingChanges",
        "instanceTypes",
        "labels",
        "nodeGroupName",
        "nodeGroupNamePrefix",
        "nodeRole",
        "nodeRoleArn",
        "operatingSystem",
        "releaseVersion",
        "scalingConfig",
        "subnetIds",
        "tags",
        "taints",
        "version",
    }
)
_ADDON_INPUTS = frozenset(
    {
        "addonName",
        "addonVersion",
        "cluster",
        "configurationValues",
        "preserve",
        "resolveConflictsOnCreate",
        "resolveConflictsOnUpdate",
        "serviceAccountRoleArn",
    }
)
_AMI_TYPES = {
    ("AL2023", "x86_64"): "AL2023_x86_64_STANDARD",
    ("AL2023", "arm64"): "AL2023_ARM_64_STANDARD",
    ("Bottlerocket", "x86_64"): "BOTTLEROCKET_x86_64",
    ("Bottlerocket", "arm64"): "BOTTLEROCKET_ARM_64",
}
_LOOKS, _LOOK_SECONDS = 60, 5
_ROOT_DEVICES = {"AL2023": "/dev/xvda", "Bottlerocket": "/dev/xvdb"}


class Cluster(pulumi.ComponentResource):
    """`eks:index:Cluster`: a service role, the cluster, its Kubernetes provider, and access entries."""

    def __init__(self, name: str, inputs: Inputs, options: pulumi.ResourceOptions) -> None:
        _check_cluster(inputs)
        super().__init__("eks:index:Cluster", name, inputs, options)
        child = pulumi.ResourceOptions(parent=self)
        role = ServiceRole(f"{name}-eksRole", inputs.get("tags"), child)
        subnets = inputs.get("subnetIds") or pulumi.Output.all(
            inputs.get("publicSubnetIds") or [], inputs.get("privateSubnetIds") or []
        ).apply(lambda halves: [*halves[0], *halves[1]])
        network = {
            "ip_family": inputs.get("ipFamily"),
            "service_ipv4_cidr": inputs.get("kubernetesServiceIpAddressRange"),
        }
        key = inputs.get("encryptionConfigKeyArn")
        self.cluster = aws.eks.Cluster(
            f"{name}-eksCluster",
            name=inputs.get("name"),
            role_arn=role.role.arn,
            bootstrap_self_managed_addons=inputs.get("bootstrapSelfManagedAddons", True),
            vpc_config=_given(  # pyright: ignore[reportArgumentType]
                subnet_ids=subnets,
                endpoint_private_access=inputs.get("endpointPrivateAccess"),
                endpoint_public_access=inputs.get("endpointPublicAccess"),
                public_access_cidrs=inputs.get("publicAccessCidrs"),
            ),
            version=inputs.get("version"),
            enabled_cluster_log_types=inputs.get("enabledClusterLogTypes"),
            tags={
                "Name": f"{name}-eksCluster",
                **(inputs.get("clusterTags") or {}),
                **(inputs.get("tags") or {}),
            },
            encryption_config={"provider": {"key_arn": key}, "resources": ["secrets"]} if key else None,
            access_config={
                "authentication_mode": inputs["authenticationMode"],
                "bootstrap_cluster_creator_admin_permissions": True,
            },
            kubernetes_network_config=_given(**network) or None,  # pyright: ignore[reportArgumentType]
            upgrade_policy=inputs.get("upgradePolicy"),
            deletion_protection=inputs.get("deletionProtection"),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[role.role, role.attachment],
                ignore_changes=["accessConfig.bootstrapClusterCreatorAdminPermissions", "bootstrapSelfManagedAddons"],
            ),
        )
        public = inputs.get("endpointPublicAccess", True)
        endpoint = pulumi.Output.all(self.cluster.name, self.cluster.endpoint).apply(once_it_answers)
        self.kubeconfig = pulumi.Output.all(
            self.cluster.name,
            endpoint if public else self.cluster.endpoint,
            self.cluster.certificate_authority.data,
            self.cluster.arn,
        ).apply(lambda parts: kubeconfig(*parts))
        self.kubeconfig_json = self.kubeconfig.apply(_compact)
        self.kubernetes = kubernetes.Provider(
            f"{name}-eks-k8s",
            kubeconfig=self.kubeconfig_json,
            enable_config_map_mutable=inputs.get("enableConfigMapMutable"),
            opts=child,
        )
        for entry, rules in (inputs.get("accessEntries") or {}).items():
            self._give_access(f"{name}-{entry}", rules)
        self._core = {
            "cluster": self.cluster,
            "clusterIamRole": role.role,
            "endpoint": self.cluster.endpoint,
            "instanceRoles": [],
            "kubeconfig": self.kubeconfig,
            "nodeGroupOptions": {},
            "privateSubnetIds": inputs.get("privateSubnetIds"),
            "provider": self.kubernetes,
            "publicSubnetIds": inputs.get("publicSubnetIds"),
            "subnetIds": subnets,
            "tags": inputs.get("tags"),
            "vpcId": inputs["vpcId"],
        }
        self.register_outputs(self.outputs)

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs of the component; without default security groups both groups are the cluster's own."""
        security_group = self.cluster.vpc_config.cluster_security_group_id
        issuer = self.cluster.identities[0].oidcs[0].issuer
        return {
            "autoModeNodeRoleName": "",
            "clusterIngressRuleId": "",
            "clusterSecurityGroupId": security_group,
            "core": self._core,
            "defaultNodeGroupAsgName": "",
            "eksCluster": self.cluster,
            "fargateProfileId": "",
            "fargateProfileStatus": "",
            "kubeconfig": self.kubeconfig,
            "kubeconfigJson": self.kubeconfig_json,
            "nodeSecurityGroupId": security_group,
            "oidcIssuer": issuer.apply(lambda url: url.removeprefix("https://")),
            "oidcProviderArn": "",
            "oidcProviderUrl": issuer,
        }

    def _give_access(self, name: str, rules: Inputs) -> None:
        entry = aws.eks.AccessEntry(
            name,
            cluster_name=self.cluster.name,
            principal_arn=rules["principalArn"],
            kubernetes_groups=rules.get("kubernetesGroups"),
            tags=rules.get("tags"),
            type=rules.get("type"),
            user_name=rules.get("username"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.cluster]),
        )
        for policy, association in (rules.get("accessPolicies") or {}).items():
            aws.eks.AccessPolicyAssociation(
                f"{name}-{policy}",
                cluster_name=self.cluster.name,
                principal_arn=rules["principalArn"],
                policy_arn=association["policyArn"],
                access_scope=association["accessScope"],
                opts=pulumi.ResourceOptions(parent=entry, depends_on=[entry]),
            )


class ServiceRole(pulumi.ComponentResource):
    """`eks:index:ServiceRole`: the role that the EKS service takes, with its managed policy."""

    def __init__(self, name: str, tags: Mapping[str, str] | None, options: pulumi.ResourceOptions) -> None:
        super().__init__("eks:index:ServiceRole", name, None, options)
        child = pulumi.ResourceOptions(parent=self)
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": ["sts:AssumeRole", "sts:TagSession"],
                    "Effect": "Allow",
                    "Principal": {"Service": ["eks.amazonaws.com"]},
                }
            ],
        }
        self.role = aws.iam.Role(
            f"{name}-role",
            assume_role_policy=_compact(trust),
            description="Allows EKS to manage clusters on your behalf.",
            tags=tags,
            opts=child,
        )
        partition = aws.get_partition_output(opts=pulumi.InvokeOptions(parent=self)).partition
        digits = hashlib.sha1(f"arn:aws:iam::aws:policy/{_CLUSTER_POLICY}".encode(), usedforsecurity=False).hexdigest()
        self.attachment = aws.iam.RolePolicyAttachment(
            f"{name}-{digits[:8]}",
            policy_arn=pulumi.Output.format("arn:{0}:iam::aws:policy/{1}", partition, _CLUSTER_POLICY),
            role=self.role.name,
            opts=child,
        )
        self.register_outputs({})


class ManagedNodeGroup(pulumi.ComponentResource):
    """`eks:index:ManagedNodeGroup`: the node group, and a launch template where EKS's own will not do."""

    def __init__(self, name: str, inputs: Inputs, options: pulumi.ResourceOptions) -> None:
        _check_known(inputs, _NODE_GROUP_INPUTS, "eks:index:ManagedNodeGroup")
        if "nodeRole" in inputs and "nodeRoleArn" in inputs:
            raise InputPropertyError(
                "nodeRole", "You cannot specify both nodeRole and nodeRoleArn when creating a managed node group."
            )
        if "nodeRole" not in inputs and "nodeRoleArn" not in inputs:
            raise InputPropertyError(
                "nodeRole", "An IAM role, or role ARN must be provided to create a managed node group"
            )
        if "subnetIds" not in inputs:
            raise InputPropertyError(
                "subnetIds", "is not set: the component would take the public subnets too, which is not emulated"
            )
        super().__init__("eks:index:ManagedNodeGroup", name, inputs, options)
        cluster = _eks_cluster(inputs["cluster"])
        scaling = inputs.get("scalingConfig") or {}
        system = inputs.get("operatingSystem")
        template = self._launch_template(name, inputs) if "enableIMDSv2" in inputs else None
        self.node_group = aws.eks.NodeGroup(
            name,
            ami_type=inputs.get("amiType") or (_ami_type(system, inputs.get("instanceTypes")) if system else None),
            capacity_type=inputs.get("capacityType"),
            cluster_name=inputs.get("clusterName") or cluster.name,
            disk_size=None if template else inputs.get("diskSize"),
            force_update_version=inputs.get("forceUpdateVersion"),
            instance_types=inputs.get("instanceTypes"),
            labels=inputs.get("labels"),
            launch_template={"id": template.id, "version": template.latest_version.apply(str)} if template else None,
            node_group_name=inputs.get("nodeGroupName"),
            node_group_name_prefix=inputs.get("nodeGroupNamePrefix"),
            node_role_arn=inputs.get("nodeRoleArn") or pulumi.Output.from_input(inputs["nodeRole"]).arn,
            release_version=inputs.get("releaseVersion"),
            scaling_config={
                "desired_size": scaling.get("desiredSize", 2),
                "max_size": scaling.get("maxSize", 2),
                "min_size": scaling.get("minSize", 1),
            },
            subnet_ids=inputs["subnetIds"],
            tags=inputs.get("tags"),
            taints=inputs.get("taints"),
            version=inputs.get("version") or cluster.version,
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=["scalingConfig.desiredSize"] if inputs.get("ignoreScalingChanges") else None,
            ),
        )
        self.register_outputs({"nodeGroup": self.node_group})

    def _launch_template(self, name: str, inputs: Inputs) -> aws.ec2.LaunchTemplate:
        device = _ROOT_DEVICES.get(inputs.get("operatingSystem") or "AL2023", "/dev/xvda")
        size = inputs.get("diskSize")
        return aws.ec2.LaunchTemplate(
            f"{name}-launchTemplate",
            block_device_mappings=[{"device_name": device, "ebs": {"volume_size": size}}] if size else None,
            metadata_options={
                "http_tokens": "required" if inputs["enableIMDSv2"] else "optional",
                "http_put_response_hop_limit": 2,
                "http_endpoint": "enabled",
            },
            opts=pulumi.ResourceOptions(parent=self),
        )


class Addon(pulumi.ComponentResource):
    """`eks:index:Addon`: the add-on, a child of its cluster whatever parent the program names."""

    def __init__(self, name: str, inputs: Inputs, options: pulumi.ResourceOptions) -> None:
        if "tags" in inputs:
            raise InputPropertyError("tags", "are not taken by the real component in a preview: use default tags")
        _check_known(inputs, _ADDON_INPUTS, "eks:index:Addon")
        if not isinstance(inputs["cluster"], eks.Cluster):
            raise InputPropertyError("cluster", "is not an eks.Cluster")
        super().__init__(
            "eks:index:Addon",
            name,
            inputs,
            pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(parent=inputs["cluster"])),
        )
        values = inputs.get("configurationValues")
        self.addon = aws.eks.Addon(
            name,
            addon_name=inputs["addonName"],
            addon_version=inputs.get("addonVersion"),
            cluster_name=_eks_cluster(inputs["cluster"]).name,
            configuration_values=None if values is None else pulumi.Output.from_input(values).apply(_compact),
            preserve=inputs.get("preserve"),
            resolve_conflicts_on_create=inputs.get("resolveConflictsOnCreate"),
            resolve_conflicts_on_update=inputs.get("resolveConflictsOnUpdate"),
            service_account_role_arn=inputs.get("serviceAccountRoleArn"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


class EksProvider(Provider):
    """The plugin: builds a component for each that the program registers."""

    def __init__(self) -> None:
        super().__init__(importlib.metadata.version("pulumi-eks"))

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Mapping[str, pulumi.Input[Any]],
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Build the component, and answer with its outputs."""
        options = options or pulumi.ResourceOptions()
        match resource_type:
            case "eks:index:Cluster":
                cluster = Cluster(name, dict(inputs), options)
                return ConstructResult(cluster.urn, cluster.outputs)
            case "eks:index:ManagedNodeGroup":
                group = ManagedNodeGroup(name, dict(inputs), options)
                return ConstructResult(group.urn, {"nodeGroup": group.node_group, "placementGroupName": ""})
            case "eks:index:Addon":
                return ConstructResult(Addon(name, dict(inputs), options).urn, {})
            case _:
                raise InputPropertyError("type", f"the rehearsal's eks provider knows no component {resource_type}")


def kubeconfig(name: str, endpoint: str, authority: str, arn: str) -> dict[str, Any]:
    """Return the kubeconfig of a cluster, which logs in by the aws CLI, in the shape of pulumi-eks."""
    region = arn.split(":")[3]
    login = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["--region", region, "eks", "get-token", "--cluster-name", name, "--output", "json"],
        "env": [
            {
                "name": "KUBERNETES_EXEC_INFO",
                "value": '{"apiVersion": "client.authentication.k8s.io/v1beta1"}',
            }
        ],
    }
    server = {"server": endpoint, "certificate-authority-data": authority}
    return {
        "apiVersion": "v1",
        "clusters": [{"cluster": server, "name": "kubernetes"}],
        "contexts": [{"context": {"cluster": "kubernetes", "user": "aws"}, "name": "aws"}],
        "current-context": "aws",
        "kind": "Config",
        "users": [{"name": "aws", "user": {"exec": login}}],
    }


def _check_known(inputs: Inputs, known: frozenset[str], component: str) -> None:
    unheard = sorted(inputs.keys() - known)
    if unheard:
        raise InputPropertyError(
            unheard[0], f"is not emulated: the rehearsal's {component} takes {', '.join(sorted(known))}"
        )


def _check_cluster(inputs: Inputs) -> None:
    _check_known(inputs, _CLUSTER_INPUTS, "eks:index:Cluster")
    needed = {
        "authenticationMode": ("API", inputs.get("authenticationMode")),
        "corednsAddonOptions.enabled": (False, _enabled(inputs, "corednsAddonOptions")),
        "createOidcProvider": (False, inputs.get("createOidcProvider", False)),
        "kubeProxyAddonOptions.enabled": (False, _enabled(inputs, "kubeProxyAddonOptions")),
        "skipDefaultNodeGroup": (True, inputs.get("skipDefaultNodeGroup")),
        "skipDefaultSecurityGroups": (True, inputs.get("skipDefaultSecurityGroups")),
        "useDefaultVpcCni": (True, inputs.get("useDefaultVpcCni")),
    }
    for path, (emulated, value) in needed.items():
        if value != emulated:
            raise InputPropertyError(path, f"is {value!r}: the rehearsal emulates {emulated!r} only")
    if not inputs.get("vpcId"):
        raise InputPropertyError("vpcId", "is not set: the component would take the default VPC, which is not emulated")
    if "subnetIds" in inputs and ("publicSubnetIds" in inputs or "privateSubnetIds" in inputs):
        raise InputPropertyError(
            "subnetIds",
            "subnetIds, and the use of publicSubnetIds and/or privateSubnetIds are mutually exclusive. "
            "Choose a single approach.",
        )
    if inputs.get("publicAccessCidrs") and not inputs.get("endpointPublicAccess", True):
        raise InputPropertyError(
            "publicAccessCidrs", "`publicAccessCidrs` can only be set when `endpointPublicAccess` is true"
        )


def _enabled(inputs: Inputs, options: str) -> Any:
    return (inputs.get(options) or {}).get("enabled", True)


def _eks_cluster(given: Any) -> Any:
    """Return the `aws:eks/cluster:Cluster`, as an output, of an `eks.Cluster` or of the core of one."""
    return pulumi.Output.from_input(given).apply(
        lambda cluster: cluster.eks_cluster if isinstance(cluster, eks.Cluster) else cluster["cluster"]
    )


def _ami_type(system: Any, instance_types: Any) -> pulumi.Output[str]:
    def choose(parts: list[Any]) -> str:
        kinds = {"arm64" if re.match(r"(?:[a-z]+\d+g[a-z]*|a1)\.", name) else "x86_64" for name in parts[1] or ["t3"]}
        if len(kinds) > 1:
            raise InputPropertyError(
                "instanceTypes", "Cannot determine architecture of instance types. They must share one architecture."
            )
        ami = _AMI_TYPES.get((parts[0], kinds.pop()))
        if ami is None:
            raise InputPropertyError("operatingSystem", f"{parts[0]} is not emulated")
        return ami

    return pulumi.Output.all(system, instance_types).apply(choose)


async def once_it_answers(parts: list[str]) -> str:
    """Return the endpoint once its API server answers, or after five minutes: so it is where the endpoint is public."""
    name, endpoint = parts
    cluster = ApiServer(Store.of_this_rehearsal(), name)
    for _ in range(_LOOKS if not pulumi.runtime.is_dry_run() else 0):
        if not cluster.unreachable:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    return endpoint


def _given(**properties: Any) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if value is not None}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    # Left to asyncio, a component that failed keeps the plugin until the engine kills it, five seconds later.
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    main(EksProvider(), sys.argv[1:])
