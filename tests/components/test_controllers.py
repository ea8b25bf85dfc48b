"""The controllers in a cluster: what they may do, and that they do nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from components.controllers import (
    AppMeshController,
    AppMeshControllerArgs,
    LoadBalancerController,
    LoadBalancerControllerArgs,
)
from settings.iam import Iam
from settings.mirrors import Mirrors
from tests.conftest import PROJECT, record, stand_in

if TYPE_CHECKING:
    from tests.conftest import Recorder

ALBC, MESH = "v1-36-aws-load-balancer-controller", "v1-36-appmesh-controller"
OWN = {"eks-cutover:project": PROJECT, "eks-cutover:stack": "dev", "eks-cutover:cluster": "v1-36"}
_PUBLIC = Mirrors()
REGISTRY = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/eks"


def _load_balancer_controller(role_arn: str | None = None, mirrors: Mirrors = _PUBLIC) -> Recorder:
    def declare() -> None:
        args = LoadBalancerControllerArgs(
            cluster_name="dev-v1-36",
            region="ap-northeast-1",
            vpc_id="vpc-1",
            chart_version="3.5.0",
            iam=Iam(),
            mirrors=mirrors,
            own_groups=OWN,
            role_arn=role_arn,
            deleted_with=stand_in("cluster"),
        )
        LoadBalancerController("v1-36", args)

    return record(declare)


def _mesh_controller(mirrors: Mirrors = _PUBLIC) -> Recorder:
    def declare() -> None:
        args = AppMeshControllerArgs(
            cluster_name="dev-v1-36",
            region="ap-northeast-1",
            account_id="123456789012",
            chart_version="1.13.3",
            iam=Iam(),
            mirrors=mirrors,
            deleted_with=stand_in("cluster"),
        )
        AppMeshController("v1-36", args)

    return record(declare)


def _statements(recorder: Recorder, name: str) -> list[dict[str, Any]]:
    return json.loads(recorder.of("RolePolicy")[name].inputs["policy"])["Statement"]


def test_the_load_balancer_controller_changes_targets_of_its_own_clusters_groups_only() -> None:
    reads, writes = _statements(_load_balancer_controller(), ALBC)
    assert writes["Action"] == ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
    assert writes["Condition"] == {"StringEquals": {f"aws:ResourceTag/{key}": value for key, value in OWN.items()}}
    assert all(":Describe" in action for action in reads["Action"])


def test_a_controller_takes_the_role_that_others_made_for_it_and_none_is_made() -> None:
    recorder = _load_balancer_controller("arn:aws:iam::123456789012:role/org/lbc")
    assert recorder.of("PodIdentityAssociation")[ALBC].inputs["roleArn"] == "arn:aws:iam::123456789012:role/org/lbc"
    assert not recorder.of("Role")
    assert not recorder.of("RolePolicy")
    assert ALBC in recorder.waits_for(recorder.of("Release")[ALBC])


def test_the_load_balancer_controller_binds_and_does_nothing_else() -> None:
    values = _load_balancer_controller().of("Release")[ALBC].inputs["values"]
    off = (
        "createIngressClassResource",
        "enableServiceMutatorWebhook",
        "enableShield",
        "enableWaf",
        "enableWafv2",
        "enableBackendSecurityGroup",
    )
    assert [key for key in off if values[key] is not False] == []
    assert values["controllerConfig"]["featureGates"] == {
        "EnableServiceController": False,
        "ALBGatewayAPI": False,
        "NLBGatewayAPI": False,
        "GatewayListenerSet": False,
    }
    assert values["ingressClass"], "an empty class would take every Ingress that names none"
    assert values["ingressClassParams"] == {"create": False}
    assert values["webhookConfig"] == {"disableIngressValidation": True}


def test_the_load_balancer_controller_is_told_what_it_cannot_ask_the_metadata_service_for() -> None:
    values = _load_balancer_controller().of("Release")[ALBC].inputs["values"]
    assert (values["clusterName"], values["region"], values["vpcId"]) == ("dev-v1-36", "ap-northeast-1", "vpc-1")


def test_the_load_balancer_controller_survives_a_node_and_an_upgrade_of_its_chart() -> None:
    values = _load_balancer_controller().of("Release")[ALBC].inputs["values"]
    assert (values["replicaCount"], values["podDisruptionBudget"]) == (2, {"maxUnavailable": 1})
    assert values["keepTLSSecret"] is True


def test_a_fault_of_the_load_balancer_controller_shows_and_ends_within_seconds() -> None:
    values = _load_balancer_controller().of("Release")[ALBC].inputs["values"]
    assert (values["awsMaxRetries"], values["targetgroupbindingMaxExponentialBackoffDelay"]) == (2, "5s")


def test_charts_are_pinned_and_come_from_eks_charts() -> None:
    albc = _load_balancer_controller().of("Release")[ALBC].inputs
    mesh = _mesh_controller().of("Release")[MESH].inputs
    assert (albc["chart"], albc["version"], albc["namespace"]) == (
        "aws-load-balancer-controller",
        "3.5.0",
        "kube-system",
    )
    assert (mesh["chart"], mesh["version"], mesh["namespace"]) == ("appmesh-controller", "1.13.3", "appmesh-system")
    assert {chart["repositoryOpts"]["repo"] for chart in (albc, mesh)} == {"https://aws.github.io/eks-charts"}
    assert (albc["createNamespace"], mesh["createNamespace"]) == (False, True)


def test_a_mirror_has_charts_and_images_under_the_last_part_of_their_names() -> None:
    mirrors = Mirrors(charts=f"oci://{REGISTRY}", images=REGISTRY)
    albc = _load_balancer_controller(mirrors=mirrors).of("Release")[ALBC].inputs
    mesh = _mesh_controller(mirrors).of("Release")[MESH].inputs
    assert (albc["chart"], albc["name"]) == (f"oci://{REGISTRY}/aws-load-balancer-controller", ALBC[len("v1-36-") :])
    assert "repositoryOpts" not in albc
    assert albc["values"]["image"] == {"repository": f"{REGISTRY}/aws-load-balancer-controller"}
    images = [
        part["image"]["repository"] for part in (mesh["values"], mesh["values"]["sidecar"], mesh["values"]["init"])
    ]
    assert images == [
        f"{REGISTRY}/appmesh-controller",
        f"{REGISTRY}/aws-appmesh-envoy",
        f"{REGISTRY}/aws-appmesh-proxy-route-manager",
    ]


def test_a_repository_of_charts_alone_leaves_the_images_to_the_charts() -> None:
    albc = (
        _load_balancer_controller(mirrors=Mirrors(charts="https://charts.example.com/eks")).of("Release")[ALBC].inputs
    )
    assert (albc["chart"], albc["repositoryOpts"]) == (
        "aws-load-balancer-controller",
        {"repo": "https://charts.example.com/eks"},
    )
    assert "image" not in albc["values"]
    assert not {"image", "sidecar", "init"} & _mesh_controller().of("Release")[MESH].inputs["values"].keys()


def test_a_controller_has_its_role_by_pod_identity_before_its_pods_start() -> None:
    for recorder, name in ((_load_balancer_controller(), ALBC), (_mesh_controller(), MESH)):
        association = recorder.of("PodIdentityAssociation")[name].inputs
        release = recorder.of("Release")[name]
        assert association["clusterName"] == "dev-v1-36"
        assert association["roleArn"] == f"arn:{name}"
        assert association["namespace"] == release.inputs["namespace"]
        assert association["serviceAccount"] == release.inputs["values"]["serviceAccount"]["name"]
        kinds = {urn.split("::")[2].split("$")[-1].split(":")[-1] for urn in release.dependencies}
        assert {"PodIdentityAssociation", "RolePolicy"} <= kinds
        trust = json.loads(recorder.of("role:Role")[name].inputs["assumeRolePolicy"])["Statement"][0]
        assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
        assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_the_controllers_are_dropped_with_their_cluster() -> None:
    assert _load_balancer_controller().of("Release")[ALBC].deleted_with.endswith("::cluster")
    assert _mesh_controller().of("Release")[MESH].deleted_with.endswith("::cluster")


def test_the_mesh_controller_never_touches_a_cloud_map_namespace() -> None:
    statements = _statements(_mesh_controller(), MESH)
    actions = [
        action
        for one in statements
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    ]
    assert "servicediscovery:RegisterInstance" in actions
    assert not [
        one
        for one in actions
        if one.startswith("servicediscovery:") and ("*" in one or "Namespace" in one.replace("ListNamespaces", ""))
    ]


def test_the_mesh_controller_is_told_account_region_and_cluster() -> None:
    values = _mesh_controller().of("Release")[MESH].inputs["values"]
    assert (values["accountId"], values["region"], values["clusterName"]) == (
        "123456789012",
        "ap-northeast-1",
        "dev-v1-36",
    )
