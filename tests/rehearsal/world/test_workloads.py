"""Which pods run in the clusters, how they behave, and what their clusters' APIs tell of them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import grpc
import pytest

from rehearsal.cloud.kubernetes.cluster import Cluster
from rehearsal.cloud.store import Store
from rehearsal.world.alb import TargetGroup
from rehearsal.world.pods import CLUSTER_HEADER
from rehearsal.world.workloads import Bound, Workloads, bound_routes, cluster_key
from tests.rehearsal.stage import CHECK, DIRECT, NEW, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

EKS = "dev-v1-36"
ZONES = {EKS: ["ap-northeast-1a", "ap-northeast-1c"]}
PODS = Bound(cluster=EKS, route="web", namespace="web", service="web-svc", instance=False, grpc=False)
NODES = Bound(cluster=EKS, route="api", namespace="api", service="api-svc", instance=True, grpc=False)
GRPC = Bound(cluster=EKS, route="grpc-api", namespace="api", service="grpc-svc", instance=False, grpc=True)
SPEED = 120.0  # a leaving pod serves on for half a second


class Clusters:
    """Workloads, and what a test sees of them."""

    def __init__(self, store: Store, home: str) -> None:
        self.store = store
        self.workloads = Workloads(store, home, SPEED)
        self.zones: dict[str, list[str]] = dict(ZONES)
        self.bound: list[Bound] = []

    def behave(self, route: str, **behaviour: Any) -> None:
        """Write how the pods of a route behave, and let it be seen."""
        self.store.put("workload", f"v1-36|{route}", behaviour)
        self.follow()

    def follow(self) -> None:
        """Let the workloads look once."""
        self.workloads.follow(self.zones, self.bound)

    def endpoints(self, bound: Bound) -> list[dict[str, Any]]:
        """Return the endpoints that the cluster's API tells."""
        self.follow()
        service = self.store.get("service", f"{EKS}|{bound.namespace}|{bound.service}")
        return service["endpoints"] if service else []

    def ready(self, bound: Bound) -> int:
        """Return how many of them are ready."""
        return sum(endpoint["ready"] for endpoint in self.endpoints(bound))


@asynccontextmanager
async def clusters(folder: Path, *bound: Bound) -> AsyncGenerator[Clusters]:
    """Let routes run in one cluster, with the pods that they have by default."""
    there = Clusters(Store(folder / "store.sqlite"), str(folder))
    there.bound = [*bound]
    try:
        there.follow()
        for one in bound:
            await eventually(lambda one=one: there.ready(one) == 2)
        yield there
    finally:
        await there.workloads.close()


async def get(endpoint: dict[str, Any], agent: str = "somebody") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(headers={"User-Agent": agent}) as session,
        session.get(f"http://{endpoint['address']}:{endpoint['port']}/any/path") as answer,
    ):
        assert answer.headers[CLUSTER_HEADER] == "v1-36"
        return answer.status, await answer.text()


async def refuses(endpoint: dict[str, Any]) -> bool:
    try:
        await get(endpoint)
    except aiohttp.ClientError:
        return True
    return False


def test_pods_have_addresses_of_their_own_and_answer_with_their_clusters_key(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, PODS) as there:
            first, second = there.endpoints(PODS)
            assert first["address"] != second["address"]
            assert first["port"] == second["port"]
            assert [first["zone"], second["zone"]] == ZONES[EKS]
            assert await get(first) == await get(second) == (200, "v1-36\n")
            service = there.store.get("service", f"{EKS}|web|web-svc")
            assert service
            assert (service["type"], service["nodePort"]) == ("ClusterIP", None)

    asyncio.run(play())


def test_the_api_tells_how_many_pods_there_shall_be(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, PODS) as there:
            there.behave("web", replicas=0)
            service = there.store.get("service", f"{EKS}|web|web-svc")
            assert service
            assert (service["replicas"], service["endpoints"]) == (0, [])

    asyncio.run(play())


def test_node_targets_are_nodes_on_which_the_node_port_answers(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, NODES) as there:
            service = there.store.get("service", f"{EKS}|api|api-svc")
            assert service
            assert service["type"] == "NodePort"
            assert 30_000 <= service["nodePort"] < 32_768
            nodes = there.store.all("node")
            assert len(nodes) == 2
            assert {node["cluster"] for node in nodes.values()} == {EKS}
            assert {node["zone"] for node in nodes.values()} == set(ZONES[EKS])
            for node in nodes.values():
                assert await get({"address": node["address"], "port": service["nodePort"]}) == (200, "v1-36\n")
            assert [endpoint["node"] for endpoint in service["endpoints"]] == sorted(
                nodes, key=lambda node: nodes[node]["zone"]
            )

    asyncio.run(play())


def test_two_routes_never_share_a_node_port(tmp_path: Path) -> None:
    async def play() -> None:
        many = [replace(NODES, route=f"r{number}", service=f"s{number}") for number in range(60)]
        there = Clusters(Store(tmp_path / "store.sqlite"), str(tmp_path))
        there.bound = many
        for one in many:
            there.store.put("workload", f"v1-36|{one.route}", {"replicas": 0})
        there.follow()
        ports = [service["nodePort"] for service in there.store.all("service").values()]
        assert len(set(ports)) == 60

    asyncio.run(play())


def test_a_pod_answers_only_after_it_has_started(tmp_path: Path) -> None:
    async def play() -> None:
        there = Clusters(Store(tmp_path / "store.sqlite"), str(tmp_path))
        there.bound = [PODS]
        there.behave("web", ready_after=60)
        await asyncio.sleep(0.2)
        starting = there.endpoints(PODS)
        assert [endpoint["ready"] for endpoint in starting] == [False, False]
        assert await refuses(starting[0])
        await there.workloads.close()

    asyncio.run(play())


@pytest.mark.parametrize("bound", [PODS, GRPC])
def test_pods_that_come_back_at_once_find_their_addresses_free(tmp_path: Path, bound: Bound) -> None:
    async def play() -> None:
        async with clusters(tmp_path, bound) as there:
            there.behave(bound.route, alive=False)
            there.behave(bound.route, alive=True)
            await eventually(lambda: there.ready(bound) == 0)
            await eventually(lambda: there.ready(bound) == 2)

    asyncio.run(play())


def test_failing_health_checks_fail_nothing_else(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, PODS) as there:
            there.behave("web", health="fail")
            endpoint = there.endpoints(PODS)[0]
            assert (await get(endpoint, agent="ELB-HealthChecker/2.0"))[0] == 503
            assert (await get(endpoint))[0] == 200
            assert endpoint["ready"]

    asyncio.run(play())


def test_a_gateway_that_knows_nothing_behind_it_is_healthy_and_answers_404(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, PODS) as there:
            there.behave("web", status=404)
            endpoint = there.endpoints(PODS)[0]
            assert (await get(endpoint, agent="ELB-HealthChecker/2.0"))[0] == 200
            assert (await get(endpoint))[0] == 404

    asyncio.run(play())


def test_an_error_rate_fails_requests(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, PODS) as there:
            there.behave("web", error_rate=0.5)
            endpoint = there.endpoints(PODS)[0]
            assert {(await get(endpoint))[0] for _ in range(60)} == {200, 500}

    asyncio.run(play())


def test_dead_pods_refuse_connections_and_nobody_tells_the_api(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, PODS) as there:
            endpoint = there.endpoints(PODS)[0]
            there.behave("web", alive=False)
            await eventually(lambda: refuses(endpoint))
            assert there.ready(PODS) == 2
            there.behave("web", alive=True)

            async def answers_again() -> bool:
                there.follow()
                return not await refuses(endpoint)

            await eventually(answers_again)

    asyncio.run(play())


def test_what_a_pod_was_answering_when_it_died_is_reset(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, PODS) as there:
            there.behave("web", delay=30)
            asking = asyncio.create_task(get(there.endpoints(PODS)[0]))
            await asyncio.sleep(0.2)
            there.behave("web", alive=False)
            with pytest.raises(aiohttp.ClientError):
                await asking

    asyncio.run(play())


def test_a_leaving_pod_is_out_of_the_endpoints_first_and_finishes_what_it_has(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, PODS) as there:
            stays, leaves = there.endpoints(PODS)
            there.behave("web", delay=1)
            asking = asyncio.create_task(get(leaves))
            await asyncio.sleep(0.2)
            there.behave("web", delay=1, replicas=1)
            assert there.endpoints(PODS) == [stays]
            assert (await get(leaves, agent="ELB-HealthChecker/2.0"))[0] == 503
            assert await asking == (200, "v1-36\n")
            await eventually(lambda: refuses(leaves))
            assert not await refuses(stays)

    asyncio.run(play())


def test_a_leaving_grpc_pod_ends_its_streams_well(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, GRPC) as there:
            leaves = there.endpoints(GRPC)[1]
            async with grpc.aio.insecure_channel(f"{leaves['address']}:{leaves['port']}", DIRECT) as channel:
                stream = channel.unary_stream("/a.B/Stream")(b"")
                messages = aiter(stream)
                assert await anext(messages) == b"v1-36"
                there.behave("grpc-api", replicas=1)
                assert {message async for message in messages} == {b"v1-36"}
                assert await stream.code() is grpc.StatusCode.OK

    asyncio.run(play())


def test_grpc_pods_know_the_health_service(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, GRPC) as there:
            endpoint = there.endpoints(GRPC)[0]
            async with grpc.aio.insecure_channel(f"{endpoint['address']}:{endpoint['port']}", DIRECT) as channel:
                check = channel.unary_unary("/grpc.health.v1.Health/Check")
                assert await check(b"") == b"\x08\x01"
                there.behave("grpc-api", health="fail")
                call = check(b"")
                assert await call.code() is grpc.StatusCode.UNAVAILABLE

    asyncio.run(play())


def test_pods_and_nodes_end_with_their_eks_cluster_and_not_with_the_binding(tmp_path: Path) -> None:
    async def play() -> None:
        async with clusters(tmp_path, PODS) as there:
            endpoint = there.endpoints(PODS)[0]
            there.bound = []
            assert there.ready(PODS) == 2
            there.zones = {}
            there.follow()
            assert there.store.all("service") == there.store.all("node") == {}
            await eventually(lambda: refuses(endpoint))

    asyncio.run(play())


def test_routes_are_those_of_bindings_whose_target_group_exists(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    for route, arn in (("web", NEW), ("gone", "arn:gone")):
        binding = {
            "metadata": {"name": route, "namespace": "web"},
            "spec": {"serviceRef": {"name": "web-svc"}, "targetType": "ip", "targetGroupARN": arn},
        }
        Cluster(store, EKS).put("TargetGroupBinding", "web", route, binding)
    groups = {NEW: TargetGroup(NEW, grpc=False, check=CHECK)}
    assert bound_routes(store, [EKS, "dev-v1-35"], groups) == [PODS]


@pytest.mark.parametrize(("name", "key"), [("dev-v1-36", "v1-36"), ("a-v1-35-v1-36-b", "v1-36-b"), ("own", "own")])
def test_the_key_of_a_cluster_is_the_end_of_its_eks_name(name: str, key: str) -> None:
    assert cluster_key(name) == key
