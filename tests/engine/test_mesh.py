"""Mesh and Cloud Map: names and attributes that keep the clusters apart, from the beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rehearsal.play.stackfile import Config
    from tests.engine.standing import Standing


pytestmark = pytest.mark.parametrize("standing", ["dev"], indirect=True)  # the one with a mesh


def _objects(standing: Standing, kind: str) -> list[Any]:
    deployment = standing.stack.export_stack().deployment or {}
    resources = deployment["resources"]
    return [resource["outputs"] for resource in resources if resource["type"].endswith(f":{kind}")]


def test_each_cluster_has_a_mesh_of_its_own_name(standing: Standing) -> None:
    assert sorted(mesh["spec"]["awsName"] for mesh in _objects(standing, "Mesh")) == ["dev-v1-35", "dev-v1-36"]


def test_every_virtual_node_tells_its_cluster_and_its_environment(standing: Standing) -> None:
    nodes = [node["spec"]["serviceDiscovery"]["awsCloudMap"] for node in _objects(standing, "VirtualNode")]
    told = [{attribute["key"]: attribute["value"] for attribute in node["attributes"]} for node in nodes]
    assert sorted(one["ver"] for one in told) == ["v1-35", "v1-36"]
    assert {one["env"] for one in told} == {"dev"}
    assert {node["namespaceName"] for node in nodes} == {"a.example.com"}


def test_a_change_of_attributes_is_shown_as_a_replacement_that_deletes_first(standing: Standing) -> None:
    def another(config: Config) -> None:
        config["eks-cutover:serviceDiscovery"]["attributes"]["team"] = "payments"

    run = standing.preview(another)
    assert not run.failure
    nodes = [step.op for step in run.steps if step.type.endswith(":VirtualNode") and step.name == "v1-36-grpc-api"]
    assert nodes.index("delete-replaced") < nodes.index("create-replacement")
    assert {step.type.rsplit(":", 1)[-1] for step in run.steps} <= {"VirtualNode", "VirtualService"}


def test_the_user_is_warned_that_app_mesh_has_ended(standing: Standing) -> None:
    said = standing.sandbox.pulumi("preview", "-s", standing.name).stdout
    assert "2026-09-30" in said
    assert "mesh.kind to none" in said
