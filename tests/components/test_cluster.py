"""One EKS cluster: its shape, the order in which it comes up, and who reaches it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi import ResourceOptions

from components.access import LoadBalancerAccess
from components.cluster import Cluster, ClusterArgs
from settings.clusters import Cluster as ClusterSettings
from settings.iam import Iam
from tests.conftest import KUBECONFIG, record, settings_of, stack_config

if TYPE_CHECKING:
    from tests.conftest import Recorder

NODE_PORTS = LoadBalancerAccess(security_group_id="sg-alb", ports={(30000, 32767): False})


def _recorded(
    balancers: dict[str, LoadBalancerAccess] | None = None,
    protect: bool = False,
    partition: str = "aws",
    login: tuple[str, ...] = (),
    iam: Iam | None = None,
    **changes: Any,
) -> Recorder:
    wanted = stack_config("prod")["eks-cutover:clusters"]["v1-36"] | changes
    args = ClusterArgs(
        cluster=ClusterSettings.model_validate_json(json.dumps(wanted)),
        eks_name="prod-v1-36",
        region="ap-northeast-1",
        partition=partition,
        login=login,
        iam=iam or Iam(),
        vpc_id="vpc-1",
        private_subnets={"a": "private-1", "c": "private-2"},
        load_balancers={"public": NODE_PORTS} if balancers is None else balancers,
    )

    def declare() -> None:
        cluster = Cluster("v1-36", args, ResourceOptions(protect=protect))
        pulumi.export("name", cluster.eks_name)
        pulumi.export("version", cluster.version)

    return record(declare)


def _eks(recorder: Recorder) -> dict[str, Any]:
    return recorder.of("eks:index:Cluster")["v1-36"].inputs


def test_the_control_plane_has_its_own_name_and_version_and_stands_in_private_subnets() -> None:
    recorder = _recorded()
    eks = _eks(recorder)
    assert (eks["name"], eks["version"], eks["vpcId"]) == ("prod-v1-36", "1.36", "vpc-1")
    assert eks["privateSubnetIds"] == ["private-1", "private-2"]
    assert recorder.exports == {"name": "prod-v1-36", "version": "1.36"}


@pytest.mark.parametrize(("partition", "service"), [("aws", "ec2.amazonaws.com"), ("aws-cn", "ec2.amazonaws.com.cn")])
def test_nodes_may_take_their_role_in_every_partition(partition: str, service: str) -> None:
    role = _recorded(partition=partition).of("Role")["v1-36-nodes"].inputs
    [statement] = json.loads(role["assumeRolePolicy"])["Statement"]
    assert statement["Principal"] == {"Service": service}


def test_only_access_entries_open_the_api_and_nothing_is_made_that_the_stack_did_not_ask_for() -> None:
    eks = _eks(_recorded())
    assert eks["authenticationMode"] == "API"
    assert eks["skipDefaultNodeGroup"] is eks["skipDefaultSecurityGroups"] is True
    assert eks["bootstrapSelfManagedAddons"] is False


def test_the_components_own_addons_are_off_because_they_would_be_waited_for_before_any_node_exists() -> None:
    eks = _eks(_recorded())
    assert eks["corednsAddonOptions"]["enabled"] is eks["kubeProxyAddonOptions"]["enabled"] is False
    assert eks["useDefaultVpcCni"] is True


def test_every_addon_is_pinned_and_wins_over_what_it_finds() -> None:
    addons = _recorded().of("eks:index:Addon")
    assert {addon.inputs["addonName"]: addon.inputs["addonVersion"] for addon in addons.values()} == {
        "vpc-cni": "v1.21.1-eksbuild.1",
        "kube-proxy": "v1.36.0-eksbuild.1",
        "eks-pod-identity-agent": "v1.3.10-eksbuild.1",
        "coredns": "v1.13.1-eksbuild.1",
        "metrics-server": "v0.8.0-eksbuild.6",
    }
    for addon in addons.values():
        assert addon.inputs["resolveConflictsOnCreate"] == addon.inputs["resolveConflictsOnUpdate"] == "OVERWRITE"


def test_roles_that_others_made_are_taken_and_none_is_made_or_given_rights() -> None:
    arn = "arn:aws:iam::123456789012:role/org"
    recorder = _recorded(clusterRoleArn=f"{arn}/eks", nodeRoleArn=f"{arn}/nodes", nodes={"a": _GROUP, "b": _GROUP})
    assert not recorder.of("Role")
    assert not recorder.of("RolePolicyAttachment")
    assert "serviceRole" in _eks(recorder), "or the EKS component would make one"
    groups = recorder.of("ManagedNodeGroup").values()
    assert {group.inputs["nodeRoleArn"] for group in groups} == {f"{arn}/nodes"}
    assert "serviceRole" not in _eks(_recorded())


_EBS = {
    "version": "v1.54.0-eksbuild.1",
    "configuration": {"controller": {"replicaCount": 2}},
    "role": {
        "serviceAccount": "ebs-csi-controller-sa",
        "policyArns": ["arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"],
    },
}


def _with_addon(name: str, addon: dict[str, Any], **more: Any) -> Recorder:
    addons = stack_config("prod")["eks-cutover:clusters"]["v1-36"]["addons"]
    return _recorded(addons={**addons, name: addon}, **more)


def test_any_other_addon_comes_after_nodes_and_after_the_role_of_its_pods() -> None:
    recorder = _with_addon("aws-ebs-csi-driver", _EBS)
    addon = recorder.of("eks:index:Addon")["v1-36-aws-ebs-csi-driver"]
    assert (addon.inputs["addonName"], addon.inputs["addonVersion"]) == ("aws-ebs-csi-driver", "v1.54.0-eksbuild.1")
    assert addon.inputs["configurationValues"] == {"controller": {"replicaCount": 2}}
    assert "v1-36-nodes" in recorder.waits_for(addon)
    association = recorder.of("PodIdentityAssociation")["v1-36-aws-ebs-csi-driver"]
    assert "v1-36-aws-ebs-csi-driver" in recorder.waits_for(addon)
    assert (association.inputs["namespace"], association.inputs["serviceAccount"]) == (
        "kube-system",
        "ebs-csi-controller-sa",
    )
    attached = recorder.of("RolePolicyAttachment")["v1-36-aws-ebs-csi-driver-AmazonEBSCSIDriverPolicy"].inputs
    assert attached["policyArn"] == "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
    trust = json.loads(recorder.of("Role")["v1-36-aws-ebs-csi-driver"].inputs["assumeRolePolicy"])
    assert trust["Statement"][0]["Principal"] == {"Service": "pods.eks.amazonaws.com"}


def test_an_addon_may_have_a_role_that_is_there_and_come_before_nodes() -> None:
    role = {"serviceAccount": "cni", "namespace": "network", "roleArn": "arn:aws:iam::123456789012:role/cni"}
    recorder = _with_addon("cni-of-ours", {"version": "v1.0.0-eksbuild.1", "role": role, "beforeNodes": True})
    association = recorder.of("PodIdentityAssociation")["v1-36-cni-of-ours"].inputs
    assert (association["roleArn"], association["namespace"]) == (role["roleArn"], "network")
    assert "v1-36-cni-of-ours" not in recorder.of("Role")
    assert "v1-36-cni-of-ours" in recorder.waits_for(recorder.of("ManagedNodeGroup")["v1-36-nodes"])
    assert "configurationValues" not in recorder.of("eks:index:Addon")["v1-36-cni-of-ours"].inputs


_GROUP = {"instanceTypes": ["m7i.xlarge"], "minSize": 0, "desiredSize": 1, "maxSize": 4}
_BATCH = {
    **_GROUP,
    "diskSize": 100,
    "labels": {"pool": "batch"},
    "taints": [{"key": "batch", "value": "yes", "effect": "NO_SCHEDULE"}, {"key": "slow", "effect": "NO_EXECUTE"}],
}


def test_several_node_groups_share_a_role_and_the_one_called_nodes_is_the_only_one_of_before() -> None:
    recorder = _recorded(nodes={"nodes": _GROUP, "batch": _BATCH})
    groups = recorder.of("ManagedNodeGroup")
    assert set(groups) == {"v1-36-nodes", "v1-36-nodes-batch"}
    assert len({group.inputs["nodeRoleArn"] for group in groups.values()}) == 1
    batch = groups["v1-36-nodes-batch"].inputs
    assert (batch["diskSize"], batch["labels"]) == (100, {"pool": "batch"})
    assert batch["taints"] == [
        {"key": "batch", "value": "yes", "effect": "NO_SCHEDULE"},
        {"key": "slow", "effect": "NO_EXECUTE"},
    ]
    assert {"labels", "taints", "diskSize"}.isdisjoint(groups["v1-36-nodes"].inputs)
    waits = recorder.waits_for(recorder.of("eks:index:Addon")["v1-36-coredns"])
    assert {"v1-36-nodes", "v1-36-nodes-batch"} <= waits


def test_a_cluster_has_tags_of_its_own_in_eks_and_its_groups_keep_that_of_the_stack() -> None:
    recorder = _recorded(tags={"team": "data"})
    assert _eks(recorder)["clusterTags"] == {"team": "data"}
    group = recorder.of("ManagedNodeGroup")["v1-36-nodes"].inputs
    assert (group["tags"]["team"], set(group["tags"])) == ("data", {"team", "eks-cutover:sizes"})
    assert "clusterTags" not in _eks(_recorded())


def test_the_log_group_is_made_before_eks_would_make_it_and_outlives_the_cluster() -> None:
    recorder = _recorded(protect=True, logRetentionDays=90)
    group = recorder.of("LogGroup")["v1-36-logs"]
    assert (group.inputs["name"], group.inputs["retentionInDays"]) == ("/aws/eks/prod-v1-36/cluster", 90)
    assert (group.protect, group.retained) == (False, True)
    assert "v1-36-logs" in recorder.waits_for(recorder.of("eks:index:Cluster")["v1-36"])
    assert not _recorded().of("LogGroup")


def test_what_karpenter_needs_of_aws_is_there_and_its_rights_end_at_the_cluster() -> None:
    recorder = _recorded(karpenter={}, protect=True)
    name = "v1-36-karpenter"
    association = recorder.of("PodIdentityAssociation")[name].inputs
    assert (association["namespace"], association["serviceAccount"]) == ("kube-system", "karpenter")
    assert recorder.of("InstanceProfile")[name].inputs["role"] == "arn:v1-36-nodes"
    statements = json.loads(recorder.of("RolePolicy")[name].inputs["policy"])["Statement"]
    changes = [one for one in statements if any(not _reads(action) for action in one["Action"])]
    free = [one for one in changes if "Condition" not in one and "*" in "".join(one["Resource"])]
    assert [one["Action"] for one in free] == [["ec2:CreateFleet", "ec2:RunInstances"]], "what is used, and not made"
    assert "owned" in json.dumps([one for one in statements if "ec2:TerminateInstances" in one["Action"]])
    assert "kubernetes.io/cluster/prod-v1-36" in json.dumps(statements)
    assert len(json.dumps(statements, separators=(",", ":"))) < 10_240
    pattern = json.loads(recorder.of("EventRule")[name].inputs["eventPattern"])
    assert "EC2 Spot Instance Interruption Warning" in pattern["detail-type"]
    assert name in recorder.of("QueuePolicy")
    assert {name} <= recorder.waits_for(recorder.of("EventTarget")[name])
    assert not _recorded().of("Queue")


def _reads(action: str) -> bool:
    return action.split(":")[1].startswith(("Describe", "Get", "List"))


def test_karpenter_takes_roles_that_others_made() -> None:
    arn = "arn:aws:iam::123456789012:role/org"
    recorder = _recorded(karpenter={"roleArn": f"{arn}/karpenter", "namespace": "k"}, nodeRoleArn=f"{arn}/nodes")
    association = recorder.of("PodIdentityAssociation")["v1-36-karpenter"].inputs
    assert (association["roleArn"], association["namespace"]) == (f"{arn}/karpenter", "k")
    assert recorder.of("InstanceProfile")["v1-36-karpenter"].inputs["role"] == "nodes"
    assert not recorder.of("Role")


def test_a_group_may_stand_in_one_zone_with_a_release_and_a_policy_of_its_own() -> None:
    more = {"zones": ["c"], "releaseVersion": "1.36.0-20260801", "updatePolicy": {"maxUnavailablePercentage": 33}}
    groups = _recorded(nodes={"nodes": _GROUP, "disks": {**_GROUP, **more}}).of("ManagedNodeGroup")
    disks, nodes = groups["v1-36-nodes-disks"].inputs, groups["v1-36-nodes"].inputs
    assert (disks["subnetIds"], nodes["subnetIds"]) == (["private-2"], ["private-1", "private-2"])
    assert (disks["releaseVersion"], "releaseVersion" in nodes) == ("1.36.0-20260801", False)


def test_of_a_cluster_that_serves_a_group_that_is_to_be_empty_may_leave() -> None:
    empty = {**_GROUP, "desiredSize": 0}
    groups = _recorded(protect=True, nodes={"nodes": _GROUP, "old": empty}).of("ManagedNodeGroup")
    assert {name: group.protect for name, group in groups.items()} == {"v1-36-nodes": True, "v1-36-nodes-old": False}


def test_what_an_organization_asks_of_roles_every_role_has() -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    iam = Iam.model_validate({"path": "/eks/", "permissionsBoundary": boundary})
    roles = _with_addon("aws-ebs-csi-driver", _EBS, iam=iam).of("Role")
    assert len(roles) == 2  # the third is the EKS component's, which the engine's tests look at
    assert {(one.inputs["path"], one.inputs["permissionsBoundary"]) for one in roles.values()} == {("/eks/", boundary)}


def test_secrets_are_sealed_by_a_key_where_one_is_given() -> None:
    key = "arn:aws:kms:ap-northeast-1:123456789012:key/1"
    assert _eks(_recorded(encryptionKeyArn=key))["encryptionConfigKeyArn"] == key
    assert "encryptionConfigKeyArn" not in _eks(_recorded())


def test_network_addons_come_before_nodes_and_what_runs_on_nodes_comes_after_them() -> None:
    recorder = _recorded()
    addons = recorder.of("eks:index:Addon")
    before_nodes = recorder.waits_for(recorder.of("ManagedNodeGroup")["v1-36-nodes"])
    assert {"v1-36-vpc-cni", "v1-36-kube-proxy", "v1-36-eks-pod-identity-agent"} <= before_nodes
    assert {"v1-36-coredns", "v1-36-metrics-server"}.isdisjoint(before_nodes)
    assert "v1-36-nodes-AmazonEKS_CNI_Policy" in before_nodes
    for addon in ("v1-36-coredns", "v1-36-metrics-server"):
        assert "v1-36-nodes" in recorder.waits_for(addons[addon])


def test_nodes_stand_in_private_subnets_and_answer_imdsv2_only() -> None:
    nodes = _recorded().of("ManagedNodeGroup")["v1-36-nodes"].inputs
    assert nodes["subnetIds"] == ["private-1", "private-2"]
    assert nodes["enableIMDSv2"] is True
    assert nodes["instanceTypes"] == ["m7i.xlarge", "m6i.xlarge"]
    assert nodes["operatingSystem"] == "AL2023"
    assert nodes["scalingConfig"] == {"minSize": 3, "desiredSize": 6, "maxSize": 12}


@pytest.mark.parametrize("ranges", [[], ["192.0.2.0/24"]])
def test_the_eks_component_is_told_of_no_public_endpoint_since_it_would_wait_for_one(ranges: list[str]) -> None:
    private = _eks(_recorded(endpoint={"publicCidrs": ranges}))
    assert (private["endpointPrivateAccess"], private["endpointPublicAccess"]) == (True, False)
    assert "publicAccessCidrs" not in private


def test_control_plane_logs_upgrade_policy_and_deletion_protection_are_the_clusters_data() -> None:
    eks = _eks(_recorded(logTypes=["audit"], supportType="STANDARD", deletionProtection=True))
    assert eks["enabledClusterLogTypes"] == ["audit"]
    assert eks["upgradePolicy"] == {"supportType": "STANDARD"}
    assert eks["deletionProtection"] is True


def test_a_principal_gets_the_policies_that_its_access_entry_names() -> None:
    role = "arn:aws:iam::123456789012:role/sre"
    entry = {"principalArn": role, "policies": ["AmazonEKSViewPolicy"]}
    recorder = _recorded(accessEntries={"sre": entry})
    assert recorder.of("AccessEntry")["v1-36-access-sre"].inputs == {"clusterName": "prod-v1-36", "principalArn": role}
    assert recorder.of("AccessPolicyAssociation")["v1-36-access-sre-AmazonEKSViewPolicy"].inputs == {
        "clusterName": "prod-v1-36",
        "principalArn": role,
        "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
        "accessScope": {"type": "cluster"},
    }


def test_each_load_balancer_reaches_the_nodes_on_the_ports_of_its_own_targets() -> None:
    access = {
        "public": LoadBalancerAccess(security_group_id="sg-public", ports={(8080, 8080): True, (30000, 32767): False}),
        "internal": LoadBalancerAccess(security_group_id="sg-internal", ports={(9000, 9000): False}),
    }
    rules = _recorded(access).of("SecurityGroupIngressRule").values()
    found = {(one.inputs["referencedSecurityGroupId"], one.inputs["fromPort"], one.inputs["toPort"]) for one in rules}
    assert found == {("sg-public", 8080, 8080), ("sg-public", 30000, 32767), ("sg-internal", 9000, 9000)}
    assert {one.inputs["fromPort"] for one in rules if one.protect} == {8080}, "where requests go through"
    assert {one.inputs["securityGroupId"] for one in rules} == {"sg-v1-36"}, "managed nodes have EKS's own group only"


def test_a_pod_port_where_the_node_ports_begin_is_a_rule_of_its_own() -> None:
    both = LoadBalancerAccess(security_group_id="sg-public", ports={(30000, 30000): True, (30000, 32767): True})
    recorder = _recorded({"public": both})
    assert len(recorder.of("SecurityGroupIngressRule")) == 2
    assert recorder.doubled() == []


def test_objects_in_the_cluster_wait_until_nodes_and_addons_work_and_an_unreachable_cluster_stops_no_update() -> None:
    recorder = _recorded()
    provider = recorder.of("providers:kubernetes")["v1-36"]
    assert provider.inputs["kubeconfig"] == KUBECONFIG
    assert provider.inputs["skipUpdateUnreachable"] == "true"
    assert provider.inputs["enablePatchForce"] == "true", "else one edit by hand would stop every update"
    timeout = json.loads(provider.inputs["kubeClientSettings"])["timeout"]
    assert 10 < timeout < 30, "a webhook has 10 s, whose failure is to be told; alone, the client waits 30 s"
    assert provider.inputs["clusterIdentifier"] == "prod-v1-36", "else a new endpoint would replace all objects"
    assert {"v1-36-nodes", "v1-36-coredns", "v1-36-metrics-server"} <= recorder.waits_for(provider)


def test_the_login_to_the_cluster_is_that_of_whom_made_it() -> None:
    login = ("--profile", "team", "--role-arn", "arn:aws:iam::123456789012:role/deploy")
    provider = _recorded(login=login).of("providers:kubernetes")["v1-36"]
    [user] = json.loads(provider.inputs["kubeconfig"])["users"]
    assert user["user"]["exec"]["args"] == ["eks", "get-token", *login]


def test_protection_covers_the_whole_cluster_but_not_who_may_use_it_nor_a_port_that_its_routes_have_left() -> None:
    entry = {"principalArn": "arn:aws:iam::123456789012:role/sre"}
    recorder = _recorded(protect=True, accessEntries={"sre": entry})
    assert {one.name for one in recorder.recorded if not one.protect} == {
        "v1-36-access-sre",
        "v1-36-access-sre-AmazonEKSClusterAdminPolicy",
        "v1-36-from-public-30000-32767",
    }


def test_nothing_of_a_cluster_that_does_not_serve_is_protected() -> None:
    assert not [one.name for one in _recorded(protect=False).recorded if one.protect]


def test_two_clusters_differ_in_their_data_only() -> None:
    old, new = (settings_of("prod").own_clusters[key] for key in ("v1-35", "v1-36"))
    assert old.model_dump().keys() == new.model_dump().keys()

    def shape(key: str, cluster: ClusterSettings) -> list[tuple[str, str]]:
        args = ClusterArgs(
            cluster=cluster,
            eks_name=f"prod-{key}",
            region="ap-northeast-1",
            partition="aws",
            login=(),
            iam=Iam(),
            vpc_id="vpc-1",
            private_subnets={"a": "private-1"},
            load_balancers={"public": NODE_PORTS},
        )
        recorder = record(lambda: Cluster(key, args))
        return sorted((one.type, one.name.removeprefix(key)) for one in recorder.recorded)

    assert shape("v1-35", old) == shape("v1-36", new)
