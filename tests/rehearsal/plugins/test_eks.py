"""The emulated `eks` components on the real engine: their children, what they hand out, and what they refuse."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.errors import InputPropertyError

from rehearsal.cloud.kubernetes.cluster import set_reachable
from rehearsal.cloud.store import PATH_VARIABLE, Store
from rehearsal.engine import executable
from rehearsal.engine.sandbox import Sandbox
from rehearsal.plugins.eks.kubeconfig import once_it_answers
from rehearsal.plugins.eks.provider import EksProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import json
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as kubernetes

wishes = json.loads(Path("wishes.json").read_text())
provider = aws.Provider("aws", region="ap-northeast-1")
from_it = pulumi.ResourceOptions(provider=provider)
vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", opts=from_it)
subnets = [
    aws.ec2.Subnet(
        f"net-{zone}",
        vpc_id=vpc.id,
        cidr_block=f"10.0.{place}.0/24",
        availability_zone=f"ap-northeast-1{zone}",
        opts=from_it,
    ).id
    for place, zone in enumerate("ac")
]
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}],
}
role = aws.iam.Role("nodes", assume_role_policy=json.dumps(trust), opts=from_it)
policies = [
    aws.iam.RolePolicyAttachment(name, role=role.name, policy_arn=f"arn:aws:iam::aws:policy/{name}", opts=from_it)
    for name in ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
]
own = pulumi.ResourceOptions(providers=[provider], protect=wishes.get("protect"))
cluster = eks.Cluster(
    "new",
    **{
        "version": "1.36",
        "vpc_id": vpc.id,
        "private_subnet_ids": subnets,
        "authentication_mode": "API",
        "access_entries": {
            "ops": {
                "principal_arn": role.arn,
                "access_policies": {
                    "admin": {
                        "access_scope": {"type": "cluster"},
                        "policy_arn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                    }
                },
            }
        },
        "skip_default_node_group": True,
        "skip_default_security_groups": True,
        "bootstrap_self_managed_addons": False,
        "use_default_vpc_cni": True,
        "kube_proxy_addon_options": {"enabled": False},
        "coredns_addon_options": {"enabled": False},
        "upgrade_policy": {"support_type": "STANDARD"},
        **wishes.get("cluster", {}),
    },
    opts=own,
)
addon = eks.Addon(
    "new-vpc-cni",
    **{
        "cluster": cluster,
        "addon_name": "vpc-cni",
        "addon_version": "v1.21.1-eksbuild.3",
        "configuration_values": {"env": {"ENABLE_PREFIX_DELEGATION": "true"}},
        **wishes.get("addon", {}),
    },
    opts=pulumi.ResourceOptions(parent=cluster),
)
nodes = eks.ManagedNodeGroup(
    "new-nodes",
    **{
        "cluster": cluster,
        "operating_system": "AL2023",
        "instance_types": ["m7g.large"],
        "enable_imd_sv2": True,
        "disk_size": 50,
        "node_role_arn": role.arn,
        "subnet_ids": subnets,
        **wishes.get("nodes", {}),
    },
    opts=pulumi.ResourceOptions(providers=[provider], depends_on=[addon, *policies]),
)
inside = kubernetes.Provider("inside", kubeconfig=cluster.kubeconfig_json)
kubernetes.core.v1.Namespace(
    "web", metadata={"name": "web"}, opts=pulumi.ResourceOptions(provider=inside, deleted_with=cluster)
)
pulumi.export("name", cluster.eks_cluster.name)
pulumi.export("core", cluster.core.cluster.name)
pulumi.export("group", cluster.eks_cluster.vpc_config.cluster_security_group_id)
pulumi.export("groups", [cluster.cluster_security_group_id, cluster.node_security_group_id])
pulumi.export("issuer", cluster.oidc_issuer)
pulumi.export("node group", nodes.node_group.ami_type)
"""
CHILDREN = {
    "eks:index:Cluster new",
    "eks:index:Cluster new > eks:index:ServiceRole new-eksRole",
    "eks:index:ServiceRole new-eksRole > aws:iam/role:Role new-eksRole-role",
    "eks:index:ServiceRole new-eksRole > aws:iam/rolePolicyAttachment:RolePolicyAttachment new-eksRole-4b490823",
    "eks:index:Cluster new > aws:eks/cluster:Cluster new-eksCluster",
    "eks:index:Cluster new > pulumi:providers:kubernetes new-eks-k8s",
    "eks:index:Cluster new > aws:eks/accessEntry:AccessEntry new-ops",
    "aws:eks/accessEntry:AccessEntry new-ops > aws:eks/accessPolicyAssociation:AccessPolicyAssociation new-ops-admin",
    "eks:index:Cluster new > eks:index:Addon new-vpc-cni",
    "eks:index:Addon new-vpc-cni > aws:eks/addon:Addon new-vpc-cni",
    "eks:index:ManagedNodeGroup new-nodes",
    "eks:index:ManagedNodeGroup new-nodes > aws:ec2/launchTemplate:LaunchTemplate new-nodes-launchTemplate",
    "eks:index:ManagedNodeGroup new-nodes > aws:eks/nodeGroup:NodeGroup new-nodes",
}


@pytest.fixture(scope="module")
def sandbox(pulumi_engine: executable.Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Return a rehearsal in which one cluster with nodes and an add-on stands."""
    program = tmp_path_factory.mktemp("program")
    (program / "Pulumi.yaml").write_text("name: components\nruntime: python\n")
    (program / "Pulumi.dev.yaml").write_text("config: {}\n")
    (program / "__main__.py").write_text(PROGRAM)
    with Sandbox(pulumi_engine, program) as sandbox:
        wish(sandbox)
        sandbox.stack("dev").up()
        yield sandbox


def wish(sandbox: Sandbox, **wishes: dict[str, Any] | bool) -> None:
    """Say what the program shall declare otherwise."""
    (sandbox.project / "wishes.json").write_text(json.dumps(wishes))


def resources(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Return what the state holds, by URN."""
    state = json.loads(sandbox.pulumi("stack", "export", "-s", "dev").stdout)
    return {resource["urn"]: resource for resource in state["deployment"]["resources"]}


def of_type(sandbox: Sandbox, token: str) -> dict[str, Any]:
    (found,) = [resource for resource in resources(sandbox).values() if resource["type"] == token]
    return found


def test_the_components_have_the_children_of_the_real_ones(sandbox: Sandbox) -> None:
    state = resources(sandbox)

    def title(urn: str) -> str:
        return f"{state[urn]['type']} {urn.rsplit('::', 1)[-1]}"

    titles = {
        title(urn)
        if state[resource["parent"]]["type"] == "pulumi:pulumi:Stack"
        else f"{title(resource['parent'])} > {title(urn)}"
        for urn, resource in state.items()
        if "parent" in resource
    }
    assert {one for one in titles if " new" in one} == CHILDREN


def test_every_child_uses_the_provider_that_the_program_gave(sandbox: Sandbox) -> None:
    providers = {
        resource["provider"].rsplit("::", 1)[0]
        for resource in resources(sandbox).values()
        if resource["type"].startswith("aws:")
    }
    assert providers == {"urn:pulumi:dev::components::pulumi:providers:aws::aws"}


def test_a_second_preview_plans_nothing(sandbox: Sandbox) -> None:
    wish(sandbox)
    preview = sandbox.pulumi("preview", "-s", "dev", "--expect-no-changes")
    assert preview.returncode == 0, preview.stdout


def test_the_program_gets_what_the_real_component_hands_out(sandbox: Sandbox) -> None:
    outputs = {name: output.value for name, output in sandbox.stack("dev").outputs().items()}
    made = sandbox.aws("eks").describe_cluster(name=outputs["name"])["cluster"]
    assert outputs["core"] == made["name"]
    assert outputs["groups"] == [outputs["group"]] * 2
    assert outputs["group"].startswith("sg-")
    assert outputs["issuer"].startswith("oidc.eks.ap-northeast-1.amazonaws.com/id/")
    assert outputs["node group"] == "AL2023_ARM_64_STANDARD"


def test_the_kubeconfig_leads_to_the_cluster_by_the_aws_cli(sandbox: Sandbox) -> None:
    config = json.loads(of_type(sandbox, "eks:index:Cluster")["outputs"]["kubeconfigJson"])
    endpoint = of_type(sandbox, "aws:eks/cluster:Cluster")["outputs"]["endpoint"]
    assert config["clusters"][0]["cluster"]["server"] == endpoint
    login = config["users"][0]["user"]["exec"]
    assert login["command"] == "aws"
    assert login["args"][:4] == ["--region", "ap-northeast-1", "eks", "get-token"]


def test_add_on_and_nodes_are_made_as_asked(sandbox: Sandbox) -> None:
    addon = of_type(sandbox, "aws:eks/addon:Addon")["inputs"]
    assert json.loads(addon["configurationValues"]) == {"env": {"ENABLE_PREFIX_DELEGATION": "true"}}
    template = of_type(sandbox, "aws:ec2/launchTemplate:LaunchTemplate")["inputs"]
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["blockDeviceMappings"][0]["ebs"]["volumeSize"] == 50
    nodes = of_type(sandbox, "aws:eks/nodeGroup:NodeGroup")["inputs"]
    assert nodes["version"] == "1.36"
    assert "diskSize" not in nodes


def test_protection_reaches_the_children(sandbox: Sandbox) -> None:
    wish(sandbox, protect=True)
    sandbox.stack("dev").up()
    wish(sandbox)
    assert of_type(sandbox, "aws:eks/cluster:Cluster")["protect"] is True
    assert of_type(sandbox, "aws:eks/addon:Addon")["protect"] is True


def test_a_new_version_changes_the_cluster_in_place(sandbox: Sandbox) -> None:
    wish(sandbox, cluster={"version": "1.37"})
    preview = sandbox.stack("dev").preview()
    assert "replace" not in preview.change_summary
    assert "aws:eks:Cluster new-eksCluster update" in preview.stdout
    wish(sandbox)


def test_what_is_refused_reads_as_a_message(sandbox: Sandbox) -> None:
    wish(sandbox, cluster={"authentication_mode": "CONFIG_MAP"})
    preview = sandbox.pulumi("preview", "-s", "dev", "--diff")
    wish(sandbox)
    assert preview.returncode != 0
    assert "property authenticationMode with value '{CONFIG_MAP}' has a problem" in preview.stdout
    assert "Traceback" not in preview.stdout


CLUSTER = {
    "authenticationMode": "API",
    "corednsAddonOptions": {"enabled": False},
    "kubeProxyAddonOptions": {"enabled": False},
    "privateSubnetIds": ["subnet-1", "subnet-2"],
    "skipDefaultNodeGroup": True,
    "skipDefaultSecurityGroups": True,
    "useDefaultVpcCni": True,
    "vpcId": "vpc-1",
}
NODES = {"nodeRoleArn": "arn:aws:iam::123456789012:role/nodes", "subnetIds": ["subnet-1"]}


@pytest.mark.parametrize(
    ("component", "inputs", "path", "complaint"),
    [
        ("Cluster", {**CLUSTER, "fargate": True}, "fargate", "is not emulated"),
        ("Cluster", {**CLUSTER, "authenticationMode": "CONFIG_MAP"}, "authenticationMode", "emulates 'API' only"),
        ("Cluster", {**CLUSTER, "skipDefaultNodeGroup": False}, "skipDefaultNodeGroup", "emulates True only"),
        ("Cluster", {**CLUSTER, "kubeProxyAddonOptions": {}}, "kubeProxyAddonOptions.enabled", "emulates False only"),
        ("Cluster", {**CLUSTER, "vpcId": ""}, "vpcId", "the component would take the default VPC"),
        ("Cluster", {**CLUSTER, "subnetIds": ["subnet-1"]}, "subnetIds", "Choose a single approach"),
        (
            "Cluster",
            {**CLUSTER, "publicAccessCidrs": ["192.0.2.0/24"], "endpointPublicAccess": False},
            "publicAccessCidrs",
            "can only be set when `endpointPublicAccess` is true",
        ),
        ("Addon", {"tags": [{"a": "b"}]}, "tags", "use default tags"),
        ("Addon", {"cluster": "a name"}, "cluster", "is not an eks.Cluster"),
        ("ManagedNodeGroup", {**NODES, "amiId": "ami-1"}, "amiId", "is not emulated"),
        ("ManagedNodeGroup", {**NODES, "nodeRole": "nodes"}, "nodeRole", "You cannot specify both"),
        ("ManagedNodeGroup", {"subnetIds": ["subnet-1"]}, "nodeRole", "An IAM role, or role ARN must be provided"),
        ("ManagedNodeGroup", {"nodeRoleArn": "arn"}, "subnetIds", "would take the public subnets too"),
        ("NodeGroupV2", {}, "type", "knows no component eks:index:NodeGroupV2"),
    ],
)
def test_what_is_not_emulated_is_refused_by_name(
    component: str, inputs: dict[str, Any], path: str, complaint: str
) -> None:
    with pytest.raises(InputPropertyError) as refused:
        EksProvider().construct("new", f"eks:index:{component}", inputs)
    assert refused.value.property_path == path
    assert complaint in refused.value.reason


@pytest.mark.parametrize(("answers_after", "looks"), [(3, 3), (None, 60), (0, 0)])
def test_an_update_waits_until_a_public_endpoint_answers_but_no_longer_than_five_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers_after: int | None, looks: int
) -> None:
    monkeypatch.setenv(PATH_VARIABLE, str(tmp_path / "store.sqlite"))
    store, slept = Store.of_this_rehearsal(), list[float]()
    set_reachable(store, "dev-v1-36", reachable=answers_after == 0, silent=True)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        set_reachable(store, "dev-v1-36", reachable=len(slept) == answers_after, silent=True)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert asyncio.Runner().run(once_it_answers(["dev-v1-36", "https://one"])) == "https://one"
    assert slept == [5.0] * looks
