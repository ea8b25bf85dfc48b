"""`eks:index:Cluster`, in the shape that this project uses.

API authentication, no default node group, no default security groups, no built-in add-ons. Refuses every input that
leads elsewhere, by name.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
from pulumi.errors import InputPropertyError

from rehearsal.plugins.eks.inputs import Inputs, check_known, compact, without_none
from rehearsal.plugins.eks.kubeconfig import kubeconfig, once_it_answers
from rehearsal.plugins.eks.service_role import ServiceRole

_INPUTS = frozenset(
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
        "serviceRole",
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


class Cluster(pulumi.ComponentResource):
    """`eks:index:Cluster`: a service role, the cluster, its Kubernetes provider, and access entries."""

    def __init__(self, name: str, inputs: Inputs, options: pulumi.ResourceOptions) -> None:
        _check(inputs)
        super().__init__("eks:index:Cluster", name, inputs, options)
        child = pulumi.ResourceOptions(parent=self)
        made = None if "serviceRole" in inputs else ServiceRole(f"{name}-eksRole", inputs.get("tags"), child)
        role = pulumi.Output.from_input(made.role if made else inputs["serviceRole"])
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
            role_arn=role.arn,
            bootstrap_self_managed_addons=inputs.get("bootstrapSelfManagedAddons", True),
            vpc_config=without_none(  # pyright: ignore[reportArgumentType]
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
            kubernetes_network_config=without_none(**network) or None,  # pyright: ignore[reportArgumentType]
            upgrade_policy=inputs.get("upgradePolicy"),
            deletion_protection=inputs.get("deletionProtection"),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[made.role, made.attachment] if made else [],
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
        self.kubeconfig_json = self.kubeconfig.apply(compact)
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
            "clusterIamRole": role,
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


def _check(inputs: Inputs) -> None:
    check_known(inputs, _INPUTS, "eks:index:Cluster")
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
