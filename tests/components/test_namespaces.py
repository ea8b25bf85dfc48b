"""The Kubernetes namespaces of a cluster: their labels, and that workloads are never deleted with them."""

from __future__ import annotations

import pulumi
import pytest
from pulumi import ErrorHookArgs

from components.namespaces import Namespaces, NamespacesArgs, explain
from tests.conftest import Recorded, record, stand_in


def _namespaces() -> dict[str, Recorded]:
    def declare() -> None:
        args = NamespacesArgs(
            meshed={"web": False, "api": True}, mesh_name="dev-v1-36", deleted_with=stand_in("cluster")
        )
        Namespaces("v1-36", args)

    return record(declare).of(":Namespace")


def test_pods_become_ready_only_when_the_load_balancer_finds_them_healthy() -> None:
    for name, namespace in _namespaces().items():
        assert namespace.inputs["metadata"]["name"] == name.removeprefix("v1-36-")
        labels = namespace.inputs["metadata"]["labels"]
        assert labels["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"


def test_only_a_namespace_of_the_mesh_has_proxies_and_the_label_that_its_clusters_mesh_selects() -> None:
    labels = {name: one.inputs["metadata"]["labels"] for name, one in _namespaces().items()}
    assert labels["v1-36-api"]["mesh"] == "dev-v1-36"
    assert labels["v1-36-api"]["appmesh.k8s.aws/sidecarInjectorWebhook"] == "enabled"
    assert labels["v1-36-web"].keys() == {"elbv2.k8s.aws/pod-readiness-gate-inject"}


def test_a_namespace_goes_with_its_cluster_and_in_no_other_way() -> None:
    for namespace in _namespaces().values():
        assert namespace.retained
        assert namespace.deleted_with.endswith("::cluster")


@pytest.mark.parametrize(
    ("error", "told"), [('namespaces "web" already exists', True), ("the server is not there", False)]
)
def test_a_namespace_that_is_there_already_is_answered_with_the_key_to_write(
    monkeypatch: pytest.MonkeyPatch, error: str, told: bool
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    args = ErrorHookArgs(
        "urn", "", "v1-36-web", "", {"metadata": {"name": "web"}}, failed_operation="create", errors=[error]
    )
    assert not explain(args)
    assert ["existingNamespaces: [web]" in text for text in said] == [True] * told
