"""EKS and IAM over the emulated AWS, what AWS refuses of them, and the provider's own refusals."""

from __future__ import annotations

import importlib
import json
import re
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud.eks_limits import ADDON_VERSIONS
from rehearsal.cloud.refused import Refused
from rehearsal.plugins.aws.provider import TYPES, AwsProvider
from rehearsal.plugins.plugin import UNKNOWN, Diff, Resource
from tests.rehearsal.conftest import urn

if TYPE_CHECKING:
    from tests.rehearsal.conftest import Account, Made, Network

ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
CLUSTER = "aws:eks/cluster:Cluster"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
ADDON = "aws:eks/addon:Addon"
ACCESS_ENTRY = "aws:eks/accessEntry:AccessEntry"
ACCESS_POLICY = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
POD_IDENTITY = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
ASSUME = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*"}]}
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
SCALING = {"minSize": 1, "desiredSize": 2, "maxSize": 3}
_numbers = count()


@pytest.fixture(scope="session")
def role(account: Account) -> Made:
    return account.create(ROLE, "eks", assumeRolePolicy=ASSUME)


def cluster_inputs(network: Network, role: Made, **changes: Any) -> dict[str, Any]:
    given = {
        "version": "1.35",
        "roleArn": role.state["arn"],
        "vpcConfig": {"subnetIds": network.subnet_ids},
        "accessConfig": {"authenticationMode": "API"},
    }
    return {**given, **changes}


def cluster(account: Account, network: Network, role: Made, **changes: Any) -> Made:
    return account.create(CLUSTER, f"v1-35-{next(_numbers)}", **cluster_inputs(network, role, **changes))


def node_group_inputs(network: Network, role: Made, of: str, **changes: Any) -> dict[str, Any]:
    given = {
        "clusterName": of,
        "nodeRoleArn": role.state["arn"],
        "subnetIds": network.subnet_ids,
        "scalingConfig": SCALING,
    }
    return {**given, **changes}


def test_a_cluster_shows_what_others_need_of_it(account: Account, network: Network, role: Made) -> None:
    made, other = (cluster(account, network, role) for _ in range(2))
    assert made.id == made.state["name"]
    assert made.state["certificateAuthority"]["data"]
    assert made.state["vpcConfig"]["vpcId"] == network.vpc.id
    assert made.state["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "172.20.0.0/16"
    assert made.state["endpoint"] != other.state["endpoint"]
    issuers = [one.state["identities"][0]["oidcs"][0]["issuer"] for one in (made, other)]
    assert issuers[0] != issuers[1]
    group = made.state["vpcConfig"]["clusterSecurityGroupId"]
    found = account.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    assert found["GroupName"].startswith(f"eks-cluster-sg-{made.id}-")
    fresh = account.refresh(made)
    assert fresh is not None
    assert fresh.state == made.state
    assert account.diff(fresh, **cluster_inputs(network, role)) == Diff()


def test_a_cluster_takes_its_security_group_along(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    group = made.state["vpcConfig"]["clusterSecurityGroupId"]
    account.delete(made)
    assert account.refresh(made) is None
    found = account.client("ec2").describe_security_groups(Filters=[{"Name": "group-id", "Values": [group]}])
    assert found["SecurityGroups"] == []
    account.delete(made)


def test_a_cluster_s_subnets_cannot_be_deleted(account: Account, network: Network, role: Made) -> None:
    cluster(account, network, role)
    with pytest.raises(Refused, match="DependencyViolation: The subnet"):
        account.delete(network.subnets[1])


def test_a_cluster_moves_up_one_minor_version_at_a_time(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    made = account.update(made, **cluster_inputs(network, role, version="1.36"))
    assert made.state["version"] == "1.36"
    for version in ("1.35", "1.38"):
        with pytest.raises(Refused, match=r"Unsupported Kubernetes minor version update from 1.36 to"):
            account.update(made, **cluster_inputs(network, role, version=version))


def test_endpoints_and_logs_of_a_cluster_change_in_place(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    private = {"subnetIds": network.subnet_ids, "endpointPrivateAccess": True, "publicAccessCidrs": ["192.0.2.0/24"]}
    wanted = cluster_inputs(network, role, vpcConfig=private, enabledClusterLogTypes=["audit"], tags={"a": "1"})
    assert not any(change.replace for change in account.diff(made, **wanted).changes)
    made = account.update(made, **wanted)
    found = account.client("eks").describe_cluster(name=made.id)["cluster"]
    assert found["resourcesVpcConfig"]["endpointPrivateAccess"] is True
    assert found["logging"]["clusterLogging"][0]["types"] == ["audit"]
    assert found["tags"] == {"Stack": "test", "a": "1"}
    assert made.state["vpcConfig"]["publicAccessCidrs"] == ["192.0.2.0/24"]
    assert account.diff(made, **wanted) == Diff()


def test_deletion_protection_holds_a_cluster_until_it_is_lifted(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role, deletionProtection=True)
    with pytest.raises(Refused, match=r"InvalidRequestException: .*deletion protection is enabled"):
        account.delete(made)
    account.delete(account.update(made, **cluster_inputs(network, role, deletionProtection=False)))


def test_a_cluster_needs_two_zones_and_a_role_that_exists(account: Account, network: Network, role: Made) -> None:
    with pytest.raises(Refused, match="at least two different AZs"):
        cluster(account, network, role, vpcConfig={"subnetIds": network.subnet_ids[:1]})
    with pytest.raises(Refused, match="could not be assumed"):
        cluster(account, network, role, roleArn="arn:aws:iam::123456789012:role/missing")
    with pytest.raises(Refused, match="private and public endpoint access cannot both be disabled"):
        cluster(account, network, role, vpcConfig={"subnetIds": ["a", "b"], "endpointPublicAccess": False})


def test_a_cluster_with_a_node_group_cannot_be_deleted(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    nodes = account.create(NODE_GROUP, "nodes", **node_group_inputs(network, role, made.id))
    with pytest.raises(
        Refused,
        match=rf"deleting EKS Cluster \({made.id}\): operation error EKS: DeleteCluster, https response error "
        r"StatusCode: 409, RequestID: .*, ResourceInUseException: Cluster has nodegroups attached",
    ):
        account.delete(made)
    account.delete(nodes)
    assert account.refresh(nodes) is None
    account.delete(nodes)
    account.delete(made)


def test_a_node_group_scales_and_labels_in_place(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    given = node_group_inputs(network, role, made.id, labels={"a": "1", "b": "2"})
    nodes = account.create(NODE_GROUP, "nodes", **given)
    assert nodes.id == f"{made.id}:{nodes.state['nodeGroupName']}"
    assert nodes.state["version"] == "1.35"
    assert nodes.state["resources"][0]["autoscalingGroups"][0]["name"]
    assert account.diff(nodes, **given) == Diff()
    wanted = {**given, "labels": {"a": "1"}, "scalingConfig": {**SCALING, "desiredSize": 3}}
    nodes = account.update(nodes, **wanted)
    eks = account.client("eks")
    name = nodes.state["nodeGroupName"]
    found = eks.describe_nodegroup(clusterName=made.id, nodegroupName=name)["nodegroup"]
    assert found["scalingConfig"]["desiredSize"] == 3
    assert found["labels"] == {"a": "1"}
    with pytest.raises(Refused, match="is newer than the version of cluster"):
        account.update(nodes, **wanted, version="1.36")


def test_a_node_group_takes_another_release_and_policy_in_place_and_other_subnets_by_a_replacement(
    account: Account, network: Network, role: Made
) -> None:
    made = cluster(account, network, role)
    given = node_group_inputs(network, role, made.id)
    nodes = account.create(NODE_GROUP, "nodes", **given, releaseVersion="1.35.0-20260701")
    more = {"releaseVersion": "1.35.0-20260801", "updateConfig": {"maxUnavailablePercentage": 33}}
    assert not any(change.replace for change in account.diff(nodes, **given, **more).changes)
    nodes = account.update(nodes, **given, **more)
    assert (nodes.state["releaseVersion"], nodes.state["updateConfig"]["maxUnavailablePercentage"]) == (
        "1.35.0-20260801",
        33,
    )
    assert account.diff(nodes, **given) == Diff(), "left out, both stay as they are"
    assert all(change.replace for change in account.diff(nodes, **{**given, "subnetIds": ["subnet-1"]}).changes)
    with pytest.raises(
        Refused, match=r"Requested release version 1\.36\.0-1 is not valid for kubernetes version 1\.35"
    ):
        account.update(nodes, **given, releaseVersion="1.36.0-1")
    with pytest.raises(Refused, match="exactly one of"):
        account.create(NODE_GROUP, "others", **given, updateConfig={"updateStrategy": "MINIMAL"})


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ({"minSize": 3, "maxSize": 6}, "Minimum capacity 3 can't be greater than desired size 2"),
        ({"desiredSize": 9}, "desired capacity 9 can't be greater than max size 3"),
    ],
)
def test_eks_and_no_plan_refuses_sizes_of_a_node_group_that_are_not_in_order(
    account: Account, network: Network, role: Made, sizes: dict[str, int], says: str
) -> None:
    made = cluster(account, network, role)
    wanted = node_group_inputs(network, role, made.id, scalingConfig={**SCALING, **sizes})
    with pytest.raises(Refused, match=f"CreateNodegroup, .*InvalidParameterException: {says}"):
        account.create(NODE_GROUP, "nodes", **wanted)
    nodes = account.create(NODE_GROUP, "nodes", **node_group_inputs(network, role, made.id))
    assert not any(change.replace for change in account.diff(nodes, **wanted).changes)
    with pytest.raises(Refused, match=f"UpdateNodegroupConfig, .*InvalidParameterException: {says}"):
        account.update(nodes, **wanted)
    told = account.client("eks").describe_nodegroup(clusterName=made.id, nodegroupName=nodes.state["nodeGroupName"])
    assert told["nodegroup"]["scalingConfig"] == SCALING


def test_addons_live_and_die_with_their_cluster(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    given = {"clusterName": made.id, "addonName": "vpc-cni"}
    addon = account.create(ADDON, "vpc-cni", **given, addonVersion="v1.20.0-eksbuild.1")
    assert addon.id == f"{made.id}:vpc-cni"
    addon = account.update(addon, **given, addonVersion="v1.21.1-eksbuild.3")
    assert addon.state["addonVersion"] == "v1.21.1-eksbuild.3"
    with pytest.raises(Refused, match="ResourceInUseException: Addon already exists"):
        account.create(ADDON, "again", **given)
    account.delete(made)
    assert account.refresh(addon) is None
    account.delete(addon)


def test_an_addon_that_needs_nodes_does_not_come_up_without_them(
    account: Account, network: Network, role: Made
) -> None:
    made = cluster(account, network, role)
    given = {"clusterName": made.id, "addonName": "coredns"}
    with pytest.raises(Refused, match=r"timeout while waiting for state to become 'ACTIVE' .last state: 'DEGRADED'"):
        account.create(ADDON, "coredns", **given)
    account.create(NODE_GROUP, "nodes", **node_group_inputs(network, role, made.id))
    account.create(ADDON, "coredns", **given)


def test_an_addon_that_eks_does_not_know_is_refused(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    with pytest.raises(Refused, match="Addon cordns specified is not supported"):
        account.create(ADDON, "typo", clusterName=made.id, addonName="cordns")
    with pytest.raises(Refused, match=r"Addon version specified is not supported\n"):
        account.create(ADDON, "typo", clusterName=made.id, addonName="vpc-cni", addonVersion="1.2")
    version = account.provider.invoke("aws:eks/getAddonVersion:getAddonVersion", {"addonName": "vpc-cni"})["version"]
    account.create(ADDON, "newest", clusterName=made.id, addonName="vpc-cni", addonVersion=version)


def test_a_kube_proxy_newer_than_its_cluster_is_refused(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    proxy = {"clusterName": made.id, "addonName": "kube-proxy"}
    with pytest.raises(Refused, match="Addon version specified is not supported"):
        account.create(ADDON, "new", **proxy, addonVersion="v1.36.0-eksbuild.1")
    account.create(ADDON, "old", **proxy, addonVersion="v1.34.0-eksbuild.1")


def test_only_versions_of_an_addon_that_are_played_are_taken_where_some_are(
    account: Account, network: Network, role: Made
) -> None:
    made, store = cluster(account, network, role), account.provider.aws.store
    store.put(ADDON_VERSIONS, "vpc-cni:1.35", {"versions": ["v1.20.4-eksbuild.2"]})
    with pytest.raises(Refused, match="Addon version specified is not supported"):
        account.create(ADDON, "new", clusterName=made.id, addonName="vpc-cni", addonVersion="v1.21.1-eksbuild.1")
    account.create(ADDON, "listed", clusterName=made.id, addonName="vpc-cni", addonVersion="v1.20.4-eksbuild.2")
    store.delete(ADDON_VERSIONS, "vpc-cni:1.35")


def test_who_makes_a_cluster_has_an_access_entry_and_a_second_one_is_refused(
    account: Account, network: Network, role: Made
) -> None:
    made = cluster(account, network, role)
    me = account.client("sts").get_caller_identity()["Arn"].replace(":sts:", ":iam:")
    with pytest.raises(Refused, match=r"StatusCode: 409.*ResourceInUseException"):
        account.create(ACCESS_ENTRY, "me", clusterName=made.id, principalArn=me)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"publicAccessCidrs": ["10.0.0.0/8"]}, "not allowed in publicAccessCidrs: .'10.0.0.0/8'"),
        ({"publicAccessCidrs": [f"192.0.2.{number}/32" for number in range(41)]}, "at most 40 entries"),
    ],
)
def test_ranges_of_the_public_endpoint_are_limited(
    account: Account, network: Network, role: Made, changes: Any, says: str
) -> None:
    with pytest.raises(Refused, match=says):
        cluster(account, network, role, vpcConfig={"subnetIds": network.subnet_ids, **changes})


@pytest.mark.parametrize(
    ("services", "says"), [("11.0.0.0/16", "not a valid serviceIpv4Cidr"), ("10.20.0.0/20", "overlaps with the CIDR")]
)
def test_the_range_of_services_is_private_and_outside_the_vpc(
    account: Account, network: Network, role: Made, services: str, says: str
) -> None:
    with pytest.raises(Refused, match=says):
        cluster(account, network, role, kubernetesNetworkConfig={"serviceIpv4Cidr": services})


def test_a_node_group_takes_twenty_instance_types(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    types = [f"m{number}i.large" for number in range(21)]
    with pytest.raises(Refused, match="instanceTypes must have at most 20"):
        account.create(NODE_GROUP, "many", **node_group_inputs(network, role, made.id, instanceTypes=types))
    account.create(NODE_GROUP, "enough", **node_group_inputs(network, role, made.id, instanceTypes=types[:20]))


def test_eks_refuses_a_zone_without_control_planes_and_names_others(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = account.provider.aws
    monkeypatch.setattr(aws, "region", "us-east-1")
    monkeypatch.setattr(aws, "_clients", {})
    vpc = account.create("aws:ec2/vpc:Vpc", "east", cidrBlock="10.30.0.0/16")
    subnets = [
        account.create(
            "aws:ec2/subnet:Subnet",
            f"east-{zone}",
            vpcId=vpc.id,
            cidrBlock=f"10.30.{place}.0/24",
            availabilityZone=f"us-east-1{zone}",
        ).id
        for place, zone in enumerate("ae")
    ]
    role = account.create(ROLE, "east", assumeRolePolicy=ASSUME)
    inputs = {"roleArn": role.state["arn"], "vpcConfig": {"subnetIds": subnets}}
    with pytest.raises(
        Refused, match=r"UnsupportedAvailabilityZoneException: Cannot create cluster .* us-east-1e"
    ) as no:
        account.create(CLUSTER, "east", **inputs)
    assert "availability zones: us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1f" in str(no.value)


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"aws:team": "a"}, "InvalidInput: 'aws:' prefixed tag key names are not allowed"),
        ({"team": "a (b)"}, "ValidationError: 1 validation error detected: Value at 'tags.2.member.value'"),
        ({"Env": "a", "env": "b"}, "InvalidInput: Duplicate tag keys found"),
        ({f"k{number}": "v" for number in range(51)}, "LimitExceeded|ValidationError"),
    ],
)
def test_iam_refuses_tags_that_other_services_take(account: Account, tags: dict[str, str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        account.create(ROLE, f"tagged-{next(_numbers)}", assumeRolePolicy=ASSUME, tags=tags)


def test_access_is_given_by_an_entry_and_a_policy(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    who = {"clusterName": made.id, "principalArn": role.state["arn"]}
    policy = {**who, "policyArn": ADMIN, "accessScope": {"type": "cluster"}}
    with pytest.raises(Refused, match="The specified principalArn could not be found"):
        account.create(ACCESS_POLICY, "early", **policy)
    entry = account.create(ACCESS_ENTRY, "ops", **who, kubernetesGroups=["ops"])
    with pytest.raises(Refused, match="access entry resource is already in use on this cluster"):
        account.create(ACCESS_ENTRY, "again", **who)
    with pytest.raises(Refused, match="The policyArn parameter format is not valid"):
        account.create(ACCESS_POLICY, "iam", **{**policy, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"})
    given = account.create(ACCESS_POLICY, "ops", **policy)
    assert given.id == f"{made.id}#{role.state['arn']}#{ADMIN}"
    assert account.update(entry, **who, kubernetesGroups=["dev"]).state["kubernetesGroups"] == ["dev"]
    assert account.refresh(given) is not None
    account.delete(entry)
    assert account.refresh(given) is None


def test_access_entries_need_the_api_authentication_mode(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role, accessConfig={"authenticationMode": "CONFIG_MAP"})
    with pytest.raises(Refused, match=r"authentication mode must be set to one of .API, API_AND_CONFIG_MAP."):
        account.create(ACCESS_ENTRY, "ops", clusterName=made.id, principalArn="arn")


def test_a_service_account_has_one_pod_identity(account: Account, network: Network, role: Made) -> None:
    made = cluster(account, network, role)
    given = {"clusterName": made.id, "namespace": "kube-system", "serviceAccount": "controller"}
    association = account.create(POD_IDENTITY, "controller", **given, roleArn=role.state["arn"])
    assert association.id.startswith("a-")
    with pytest.raises(Refused, match=f"ResourceInUseException: Association already exists: {association.id}"):
        account.create(POD_IDENTITY, "again", **given, roleArn=role.state["arn"])
    assert account.refresh(association) is not None
    account.delete(association)
    account.delete(association)
    assert account.refresh(association) is None


@pytest.mark.parametrize(
    ("token", "given"),
    [
        (ADDON, {"addonName": "vpc-cni"}),
        (ACCESS_ENTRY, {"principalArn": "arn"}),
        (ACCESS_POLICY, {"principalArn": "arn", "policyArn": ADMIN, "accessScope": {"type": "cluster"}}),
        (POD_IDENTITY, {"namespace": "n", "serviceAccount": "s", "roleArn": "arn"}),
    ],
)
def test_nothing_is_made_in_a_cluster_that_does_not_exist(account: Account, token: str, given: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="ResourceNotFoundException: No cluster found for name: missing"):
        account.create(token, "orphan", clusterName="missing", **given)


def test_a_role_with_policies_cannot_be_deleted(account: Account) -> None:
    made = account.create(ROLE, "held", assumeRolePolicy=json.dumps(ASSUME))
    policy = account.create(ROLE_POLICY, "inline", role=made.id, policy=ALLOW)
    attached = account.create(
        ATTACHMENT, "managed", role=made.id, policyArn="arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
    )
    assert policy.id == f"{made.id}:{policy.state['name']}"
    for held in (policy, attached):
        assert account.refresh(held) is not None
        with pytest.raises(Refused, match=rf"deleting IAM Role \({made.id}\): .* DeleteConflict: "):
            account.delete(made)
        account.delete(held)
        assert account.refresh(held) is None
    account.delete(made)
    assert account.refresh(made) is None
    account.delete(made)


def test_a_policy_that_does_not_exist_cannot_be_attached(account: Account, role: Made) -> None:
    with pytest.raises(Refused, match="NoSuchEntity"):
        account.create(ATTACHMENT, "typo", role=role.id, policyArn="arn:aws:iam::aws:policy/AmazonEKSWrkerNodePolicy")


def test_a_role_changes_in_place_what_it_may(account: Account) -> None:
    made = account.create(ROLE, "changing", assumeRolePolicy=json.dumps(ASSUME), tags={"a": "1"})
    made = account.update(made, assumeRolePolicy=json.dumps(ASSUME), description="new", maxSessionDuration=7200)
    found = account.client("iam").get_role(RoleName=made.id)["Role"]
    assert (found["Description"], found["MaxSessionDuration"]) == ("new", 7200)
    assert made.state["tagsAll"] == {"Stack": "test"}


def test_a_preview_creates_nothing(account: Account) -> None:
    resource = Resource(urn(ROLE, "preview"))
    inputs = account.provider.check(resource, {}, {"assumeRolePolicy": json.dumps(ASSUME)}, b"seed")
    made, state = account.provider.create(resource, inputs, preview=True)
    assert made == ""
    assert state["arn"] == UNKNOWN
    assert state["name"] == inputs["name"]
    roles = account.client("iam").list_roles()["Roles"]
    assert inputs["name"] not in [one["RoleName"] for one in roles]


def test_an_unset_region_is_the_provider_s_and_another_one_replaces(account: Account) -> None:
    made = account.create("aws:ec2/vpc:Vpc", "regional", cidrBlock="10.40.0.0/16")
    assert made.state["region"] == "ap-northeast-1"
    assert account.diff(made, cidrBlock="10.40.0.0/16", region="ap-northeast-1") == Diff()
    assert [
        (change.path, change.replace)
        for change in account.diff(made, cidrBlock="10.40.0.0/16", region="eu-west-1").changes
    ] == [("region", True)]


def test_what_the_rehearsal_does_not_know_is_an_error(account: Account) -> None:
    with pytest.raises(Refused, match="knows no type aws:s3/bucket:Bucket"):
        account.create("aws:s3/bucket:Bucket", "logs")
    with pytest.raises(Refused, match="knows no function aws:ec2/getAmi:getAmi"):
        account.provider.invoke("aws:ec2/getAmi:getAmi", {})
    with pytest.raises(Refused, match="knows no setting regoin"):
        AwsProvider().configure({"regoin": "eu-west-1"})


def test_the_account_is_told(account: Account) -> None:
    assert account.provider.invoke("aws:index/getPartition:getPartition", {})["partition"] == "aws"
    assert account.provider.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})["accountId"] == "123456789012"
    assert account.provider.invoke("aws:index/getRegion:getRegion", {})["region"] == "ap-northeast-1"
    account.client("ssm").put_parameter(Name="/ami", Value="ami-1", Type="String")
    assert account.provider.invoke("aws:ssm/getParameter:getParameter", {"name": "/ami"})["value"] == "ami-1"
    with pytest.raises(Refused, match="couldn't find resource"):
        account.provider.invoke("aws:ssm/getParameter:getParameter", {"name": "/missing"})


@pytest.mark.filterwarnings("ignore:aws.ec2/encryptioncontrol:DeprecationWarning")
def test_every_property_of_a_type_is_one_that_the_sdk_has() -> None:
    # One that only the rehearsal knows would let a program pass that AWS refuses.
    for token, kind in TYPES.items():
        module, name = token.split(":")[1:]
        path = re.sub("([A-Z])", lambda letter: f"_{letter[1].lower()}", module).replace("/", ".")
        sdk = getattr(importlib.import_module(f"pulumi_aws.{path}"), name)
        outputs = {key for key, value in vars(sdk).items() if isinstance(value, property)}
        ours = {re.sub("([A-Z0-9]+)", lambda part: f"_{part[1].lower()}", key) for key in kind.shape}
        squeezed = {key.replace("_", "") for key in outputs}
        assert {key for key in ours if key.replace("_", "") not in squeezed} == set(), token


def test_a_log_group_keeps_what_is_logged_for_a_time_and_is_refused_a_second_time(account: Account) -> None:
    kind, name = "aws:cloudwatch/logGroup:LogGroup", "/aws/eks/shop/cluster"
    made = account.create(kind, "logs", name=name, retentionInDays=90)
    assert (made.id, made.state["retentionInDays"]) == (name, 90)
    assert made.state["arn"].endswith(f":log-group:{name}")
    assert account.diff(made, name=name, retentionInDays=90) == Diff()
    made = account.update(made, name=name, retentionInDays=30)
    [group] = account.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert group["retentionInDays"] == 30
    with pytest.raises(Refused, match="ResourceAlreadyExistsException"):
        account.create(kind, "again", name=name)
    with pytest.raises(Refused, match="expected retention_in_days to be one of"):
        account.create(kind, "others", name=f"{name}-b", retentionInDays=100)
    account.delete(made)
    assert account.refresh(made) is None
