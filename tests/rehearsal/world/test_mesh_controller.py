"""The emulated App Mesh controller: what a name makes it take for its own, in App Mesh and in Cloud Map."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.kubernetes.cluster import Cluster
from rehearsal.world.controllers import EVENT, Queue
from rehearsal.world.mesh_controller import MeshController, instances
from tests.rehearsal.emulated import REGION, ZONE, Cloud, Inline, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props

NAMESPACE = "a.example.com"


@dataclass
class Shared:
    """A Cloud Map namespace, and the name of a service in it that tests do not share."""

    cloud: Cloud
    namespace: str
    service: str = field(default_factory=lambda: f"api-{uuid.uuid4().hex[:8]}")

    def make_service(self) -> str:
        """Make the service as the shared layer does, and return its id."""
        made = self.cloud.client("servicediscovery").create_service(
            Name=self.service, NamespaceId=self.namespace, CreatorRequestId="the shared layer"
        )
        return made["Service"]["Id"]

    def made(self) -> list[Any]:
        """Return the service if it is there."""
        every = self.cloud.client("servicediscovery").list_services()["Services"]
        return [one for one in every if one["Name"] == self.service]

    def discover(self, **wanted: str) -> set[str]:
        """Return the addresses that a client finds."""
        found = self.cloud.client("servicediscovery").discover_instances(
            NamespaceName=NAMESPACE, ServiceName=self.service, QueryParameters=wanted
        )
        return {one["InstanceId"] for one in found["Instances"]}


class Member:
    """A cluster whose pods are in a mesh."""

    def __init__(self, shared: Shared, mesh: str, version: str) -> None:
        self.shared, self.mesh, self.version = shared, mesh, version
        self.key = f"v1-{uuid.uuid4().hex[:6]}"
        self.cloud = shared.cloud
        self.cluster = Cluster(self.cloud.store, f"test-{self.key}")
        self.time = 0.0
        self.controller = MeshController(
            self.cloud.store, self.cluster, self.key, queue=Queue(Inline(), lambda: self.time)
        )

    def declare(self, *pods: str, unready: str = "") -> None:
        """Make the mesh, its virtual node and its pods, and let the controller look."""
        self.put("Mesh", "", "mesh", {"awsName": self.mesh})
        discovery = {
            "namespaceName": NAMESPACE,
            "serviceName": self.shared.service,
            "attributes": [{"key": "env", "value": "dev"}, {"key": "ver", "value": self.version}],
        }
        spec = {
            "awsName": "grpc-api_api",
            "meshRef": {"name": "mesh", "uid": "any"},
            "podSelector": {"matchLabels": {"app": "grpc-api"}},
            "listeners": [{"portMapping": {"port": 9000, "protocol": "grpc"}}],
            "serviceDiscovery": {"awsCloudMap": discovery},
        }
        self.put("VirtualNode", "api", "grpc-api", spec)
        self.run(*pods, unready=unready)

    def run(self, *pods: str, unready: str = "") -> None:
        """Let the pods of the Service be these."""
        endpoints = [{"address": pod, "port": 9000, "zone": ZONE, "node": "", "ready": pod != unready} for pod in pods]
        document = {"type": "ClusterIP", "nodePort": None, "endpoints": endpoints}
        self.cloud.store.put("service", f"{self.key}|api|grpc-api", document)
        self.step()

    def put(self, kind: str, namespace: str, name: str, spec: Props) -> None:
        """Make an object as the API server keeps it."""
        metadata = {"name": name, "namespace": namespace, "uid": uuid.uuid4().hex}
        self.cluster.put(kind, namespace, name, {"kind": kind, "metadata": metadata, "spec": spec})

    def delete(self, kind: str, namespace: str, name: str) -> bool:
        """Delete an object, as the API server does while its finalizers are set; tell whether it went."""
        self.cluster.change(
            kind,
            namespace,
            name,
            lambda live: live and {**live, "metadata": {**live["metadata"], "deletionTimestamp": ""}},
        )
        return self.gone(kind, namespace, name)

    def gone(self, kind: str, namespace: str, name: str) -> bool:
        """Let the controller look, and tell whether an object went."""
        self.step()
        return self.cluster.get(kind, namespace, name) is None

    def retire(self) -> bool:
        """Delete everything in order, as far as it goes."""
        return self.delete("VirtualNode", "api", "grpc-api") and self.delete("Mesh", "", "mesh")

    def step(self) -> None:
        """Let the controller look once, after any wait."""
        self.time += 10_000
        self.controller.step({"version": "1.13.3", "values": {"region": REGION}})

    def node_in_aws(self) -> Any:
        """Return the virtual node as App Mesh has it, or None."""
        try:
            found = self.cloud.client("appmesh").describe_virtual_node(
                meshName=self.mesh, virtualNodeName="grpc-api_api"
            )
        except ClientError:
            return None
        attributes = found["virtualNode"]["spec"]["serviceDiscovery"]["awsCloudMap"]["attributes"]
        return {one["key"]: one["value"] for one in attributes}

    def error(self, kind: str = "VirtualNode", place: str = "api|grpc-api") -> str:
        """Return what the controller says of an object that it could not bring about."""
        event = self.cloud.store.get(EVENT, f"{self.cluster.name}|{kind}|{place}|ReconcileError")
        return event["message"] if event else ""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def namespace(cloud: Cloud) -> str:
    names = cloud.client("servicediscovery")
    operation = names.create_private_dns_namespace(Name=NAMESPACE, Vpc=cloud.vpc)["OperationId"]
    return names.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]


@pytest.fixture
def shared(cloud: Cloud, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Shared:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint)
    return Shared(cloud, namespace)


def two_clusters(shared: Shared, *, one_mesh: bool) -> tuple[Member, Member]:
    mesh = uuid.uuid4().hex
    old = Member(shared, mesh, "v1-35")
    new = Member(shared, mesh if one_mesh else uuid.uuid4().hex, "v1-36")
    old.declare("127.0.1.1", "127.0.1.2")
    new.declare("127.0.2.1")
    return old, new


def test_a_ready_pod_is_in_cloud_map_with_the_attributes_of_its_node_and_its_place(shared: Shared) -> None:
    service = shared.make_service()
    member = Member(shared, uuid.uuid4().hex, "v1-35")
    member.declare("127.0.1.1", "127.0.1.2", unready="127.0.1.2")
    [instance] = member.cloud.client("servicediscovery").list_instances(ServiceId=service)["Instances"]
    assert (instance["Id"], instance["Attributes"]) == (
        "127.0.1.1",
        {
            "app": "grpc-api",
            "env": "dev",
            "ver": "v1-35",
            "AWS_INSTANCE_IPV4": "127.0.1.1",
            "AWS_INSTANCE_PORT": "9000",
            "k8s.io/pod": "grpc-api-127-0-1-1",
            "k8s.io/namespace": "api",
            "REGION": REGION,
            "AVAILABILITY_ZONE": ZONE,
            "appmesh.k8s.aws/mesh": member.mesh,
            "appmesh.k8s.aws/virtualNode": "grpc-api_api",
        },
    )


def test_a_pod_that_is_gone_leaves_cloud_map(shared: Shared) -> None:
    shared.make_service()
    member = Member(shared, uuid.uuid4().hex, "v1-35")
    member.declare("127.0.1.1", "127.0.1.2")
    member.run("127.0.1.2", "127.0.1.3")
    assert shared.discover() == {"127.0.1.2", "127.0.1.3"}


def test_pods_that_the_node_does_not_select_are_left_out() -> None:
    node = {
        "metadata": {"namespace": "api"},
        "spec": {"awsName": "api_api", "podSelector": {"matchLabels": {"app": "api"}}},
    }
    endpoint = {"address": "127.0.1.1", "port": 9000, "zone": ZONE, "ready": True}
    services = {"api": {"endpoints": [endpoint]}, "web": {"endpoints": [{**endpoint, "address": "127.0.1.2"}]}}
    assert instances(node, "mesh", services, REGION).keys() == {"127.0.1.1"}
    del node["spec"]["podSelector"]
    assert instances(node, "mesh", services, REGION) == {}


def test_clients_tell_clusters_apart_by_attributes_while_both_serve(shared: Shared) -> None:
    shared.make_service()
    two_clusters(shared, one_mesh=False)
    assert shared.discover(ver="v1-35") == {"127.0.1.1", "127.0.1.2"}
    assert shared.discover(ver="v1-36") == {"127.0.2.1"}
    assert shared.discover(env="dev") == {"127.0.1.1", "127.0.1.2", "127.0.2.1"}


def test_clusters_with_meshes_of_their_own_leave_each_other_alone(shared: Shared) -> None:
    shared.make_service()
    old, new = two_clusters(shared, one_mesh=False)
    assert (old.node_in_aws()["ver"], new.node_in_aws()["ver"]) == ("v1-35", "v1-36")
    assert old.retire()
    assert shared.discover() == {"127.0.2.1"}
    assert new.node_in_aws() is not None


def test_clusters_with_one_mesh_name_adopt_each_others_node_and_take_out_each_others_pods(shared: Shared) -> None:
    shared.make_service()
    old, new = two_clusters(shared, one_mesh=True)
    assert old.node_in_aws()["ver"] == "v1-36"
    assert shared.discover() == {"127.0.2.1"}
    old.run("127.0.1.1")
    assert old.node_in_aws()["ver"] == "v1-35"
    assert shared.discover() == {"127.0.1.1"}
    assert (old.error(), new.error()) == ("", "")


def test_of_clusters_with_one_mesh_name_the_retired_one_takes_the_mesh_along(shared: Shared) -> None:
    shared.make_service()
    old, new = two_clusters(shared, one_mesh=True)
    assert old.retire()
    assert shared.discover() == set()
    assert new.node_in_aws() is None
    meshes = new.cloud.client("appmesh").list_meshes()["meshes"]
    assert new.mesh not in {mesh["meshName"] for mesh in meshes}


def test_a_service_of_the_shared_layer_outlives_every_cluster(shared: Shared) -> None:
    shared.make_service()
    old, new = two_clusters(shared, one_mesh=False)
    assert old.retire()
    assert new.retire()
    assert len(shared.made()) == 1


def test_a_service_that_a_controller_made_holds_up_the_retirement_of_its_cluster(shared: Shared) -> None:
    old, new = two_clusters(shared, one_mesh=False)
    assert not old.retire()
    assert "ResourceInUse" in old.error()
    assert len(shared.made()) == 1
    new.run()
    assert old.gone("VirtualNode", "api", "grpc-api")


def test_a_service_that_a_controller_made_goes_under_a_cluster_that_has_no_instance_right_now(shared: Shared) -> None:
    old, new = two_clusters(shared, one_mesh=False)
    new.run()
    assert old.retire()
    assert shared.made() == []


def test_a_service_is_kept_by_a_controller_that_only_found_it(shared: Shared) -> None:
    old, new = two_clusters(shared, one_mesh=False)
    assert new.retire()
    assert len(shared.made()) == 1
    assert shared.discover() == {"127.0.1.1", "127.0.1.2"}
    assert old.node_in_aws() is not None


def test_a_missing_namespace_is_never_made(shared: Shared) -> None:
    member = Member(shared, uuid.uuid4().hex, "v1-35")
    member.put("Mesh", "", "mesh", {"awsName": member.mesh})
    attributes = [{"key": "env", "value": "dev"}]
    discovery = {"namespaceName": "nowhere.example.com", "serviceName": "api", "attributes": attributes}
    spec = {"awsName": "api_api", "meshRef": {"name": "mesh"}, "serviceDiscovery": {"awsCloudMap": discovery}}
    member.put("VirtualNode", "api", "grpc-api", spec)
    member.step()
    assert member.error() == "cloudMap namespace not found: nowhere.example.com"
    assert member.delete("VirtualNode", "api", "grpc-api")


def test_a_mesh_waits_for_its_members_to_leave(shared: Shared) -> None:
    shared.make_service()
    member = Member(shared, uuid.uuid4().hex, "v1-35")
    member.declare("127.0.1.1")
    assert not member.delete("Mesh", "", "mesh")
    assert "pending members deletion: api/grpc-api" in member.error("Mesh", "|mesh")
    assert member.delete("VirtualNode", "api", "grpc-api")
    assert member.gone("Mesh", "", "mesh")


def test_a_mesh_with_nodes_of_another_cluster_cannot_be_deleted(shared: Shared) -> None:
    member = Member(shared, uuid.uuid4().hex, "v1-35")
    member.put("Mesh", "", "mesh", {"awsName": member.mesh})
    member.step()
    member.cloud.client("appmesh").create_virtual_node(meshName=member.mesh, virtualNodeName="other", spec={})
    assert not member.delete("Mesh", "", "mesh")
    assert "ResourceInUse" in member.error("Mesh", "|mesh")


def test_what_has_not_changed_is_not_asked_about_again(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.make_service()
    member = Member(shared, uuid.uuid4().hex, "v1-35")
    member.declare("127.0.1.1")
    monkeypatch.setattr(MeshController, "_bring_node_about", lambda *_: pytest.fail("it looked again"))
    monkeypatch.setattr(MeshController, "_bring_mesh_about", lambda *_: pytest.fail("it looked again"))
    member.step()
    assert shared.discover() == {"127.0.1.1"}
