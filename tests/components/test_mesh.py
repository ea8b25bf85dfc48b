"""The mesh of a cluster: what keeps it apart from the mesh of the next cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.mesh import ClusterMesh, ClusterMeshArgs
from tests.conftest import record, settings_of, stand_in

if TYPE_CHECKING:
    from tests.conftest import Recorder


def _recorded(cluster: str = "v1-36") -> Recorder:
    settings = settings_of("dev")

    def declare() -> None:
        args = ClusterMeshArgs(
            mesh_name=settings.mesh_name(cluster),
            cloud_map_namespace="a.example.com",
            nodes=settings.virtual_nodes(),
            attributes={**settings.attributes(cluster), "team": "payments"},
            after=[stand_in("controller")],
        )
        ClusterMesh(cluster, args)

    return record(declare)


def test_every_cluster_has_a_mesh_of_its_own_name_that_selects_its_own_namespaces() -> None:
    for cluster in ("v1-35", "v1-36"):
        mesh = _recorded(cluster).of(":Mesh")[f"{cluster}-mesh"].inputs
        assert mesh["metadata"]["name"] == mesh["spec"]["awsName"] == f"dev-{cluster}"
        assert mesh["spec"]["namespaceSelector"] == {"matchLabels": {"mesh": f"dev-{cluster}"}}


def test_a_virtual_node_carries_cluster_environment_and_the_users_own_attributes_in_a_steady_order() -> None:
    cloud_map = _recorded().of("VirtualNode")["v1-36-grpc-api"].inputs["spec"]["serviceDiscovery"]["awsCloudMap"]
    assert cloud_map == {
        "namespaceName": "a.example.com",
        "serviceName": "grpc-api",
        "attributes": [
            {"key": "env", "value": "dev"},
            {"key": "team", "value": "payments"},
            {"key": "ver", "value": "v1-36"},
        ],
    }


def test_a_virtual_node_selects_the_pods_and_listens_as_they_do() -> None:
    node = _recorded().of("VirtualNode")["v1-36-grpc-api"].inputs
    assert node["metadata"] == {"name": "grpc-api", "namespace": "api"}
    assert node["spec"]["podSelector"] == {"matchLabels": {"app": "grpc-api"}}
    assert node["spec"]["listeners"] == [{"portMapping": {"port": 9000, "protocol": "grpc"}}]


def test_a_change_of_cloud_map_fields_replaces_the_node_and_deletes_it_first() -> None:
    node = _recorded().of("VirtualNode")["v1-36-grpc-api"]
    assert node.replace_on_changes == ("spec.serviceDiscovery",)
    assert node.delete_before_replace


def test_a_virtual_service_is_found_by_the_name_that_cloud_map_gives_it() -> None:
    service = _recorded().of("VirtualService")["v1-36-grpc-api-service"].inputs
    assert service["spec"] == {
        "awsName": "grpc-api.a.example.com",
        "provider": {"virtualNode": {"virtualNodeRef": {"name": "grpc-api"}}},
    }
    assert service["metadata"] == {"name": "grpc-api", "namespace": "api"}


def test_objects_of_the_mesh_are_deleted_before_the_mesh_and_the_mesh_before_its_controller() -> None:
    recorder = _recorded()
    mesh = recorder.of(":Mesh")["v1-36-mesh"]
    node = recorder.of("VirtualNode")["v1-36-grpc-api"]
    service = recorder.of("VirtualService")["v1-36-grpc-api-service"]
    assert "controller" in recorder.waits_for(mesh)
    assert "v1-36-mesh" in recorder.waits_for(node)
    assert "v1-36-grpc-api" in recorder.waits_for(service)
    assert {one.deleted_with for one in (mesh, node, service)} == {""}
