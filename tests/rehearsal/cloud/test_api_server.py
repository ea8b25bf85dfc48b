"""The API servers of the emulated clusters, as `cutover` and anybody else with their endpoint sees them."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import urllib3

from cutover.aws import usage
from cutover.inside import objects
from cutover.inside.lists import Inside, InsideError
from cutover.rules.admission import LOAD_BALANCER, unanswered
from cutover.rules.retire import Word
from rehearsal.cloud.kubernetes import api_server
from rehearsal.cloud.kubernetes.cluster import (
    API_SERVERS,
    LOAD_BALANCER_CONTROLLER,
    SERVICE,
    Cluster,
    set_answering,
    set_reachable,
)
from settings.bindings import CONTROLLERS
from tests.rehearsal.conftest import REGION
from tests.rehearsal.plugins.test_aws_clusters_and_roles import ASSUME, POD_IDENTITY, ROLE, cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.store import Store
    from tests.rehearsal.conftest import Account, Front, Made, Network


@dataclass
class Inner:
    """A cluster, and the way into it."""

    made: Made
    store: Store
    session: boto3.Session

    @property
    def name(self) -> str:
        """Its name in EKS."""
        return self.made.id

    @property
    def objects(self) -> Cluster:
        """What is stored of it."""
        return Cluster(self.store, self.name)

    def names(self, path: str) -> list[str]:
        """Return the names that `cutover` reads in a collection."""
        return [one["metadata"]["name"] for one in Inside(self.session, self.name).list(path)]

    def put(self, kind: str, name: str, **content: Any) -> None:
        """Let an object stand in the namespace web."""
        self.objects.put(kind, "web", name, {"metadata": {"namespace": "web", "name": name}, **content})

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
        """Ask as somebody who has the cluster's endpoint, authority and a token."""
        authority = base64.b64decode(self.made.state["certificateAuthority"]["data"]).decode()
        headers = {"Authorization": "Bearer k8s-aws-v1.somebody", **headers}
        with urllib3.PoolManager(ca_cert_data=authority, retries=False) as pool:
            answer = pool.request(method, f"{self.made.state['endpoint']}{path}", headers=headers)
        return answer.status, answer.json()


@pytest.fixture(scope="module")
def role(account: Account) -> Made:
    return account.create(ROLE, "inner", assumeRolePolicy=ASSUME)


@pytest.fixture(scope="module")
def served(front: Front) -> Iterator[Front]:
    server = api_server.serve(front.store)
    yield front
    server.shutdown()
    server.server_close()
    front.store.delete(API_SERVERS, "")


@pytest.fixture
def inner(served: Front, network: Network, role: Made, monkeypatch: pytest.MonkeyPatch) -> Inner:
    made = cluster(served.account, network, role)
    monkeypatch.setenv("AWS_ENDPOINT_URL", served.endpoint)
    session = boto3.Session("somebody", "somebody", region_name=REGION)
    return Inner(made, served.store, session)


def world(inner: Inner, *, ready: bool = True, replicas: int = 2) -> None:
    """Let a route of node targets run in the cluster."""
    endpoints = [
        {"address": f"127.1.0.{index}", "port": 31000, "zone": f"{REGION}a", "node": f"i-{index}", "ready": ready}
        for index in range(2)
    ]
    document = {
        "type": "NodePort",
        "nodePort": 31000,
        "replicas": replicas,
        "endpoints": endpoints,
    }
    inner.store.put(SERVICE, f"{inner.name}|web|web", document)
    inner.store.put(SERVICE, f"{inner.name}-b|web|of-another", document)
    inner.objects.install_kinds(LOAD_BALANCER_CONTROLLER)
    inner.put("TargetGroupBinding", "web", spec={"serviceRef": {"name": "web", "port": 80}})


def test_an_empty_cluster_is_read_whole_and_has_nothing_but_its_namespaces(inner: Inner) -> None:
    read = objects.read(inner.session, inner.name, CONTROLLERS)
    assert {kind: list(found) if isinstance(found, list) else found for kind, found in read.items()} == {
        kind: [] for kind in read
    }
    assert inner.names("/api/v1/namespaces") == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert usage.inside(Inside(inner.session, inner.name), ()) == {
        word: [] for word in (Word.KARPENTER, Word.LOAD_BALANCERS, Word.VOLUMES, Word.JOBS, Word.BINDINGS)
    }


def test_what_the_provider_stored_is_listed(inner: Inner) -> None:
    inner.put("ConfigMap", "settings", data={"colour": "blue"})
    inner.objects.put("Namespace", "", "web", {"metadata": {"name": "web"}})
    (found,) = Inside(inner.session, inner.name).list("/api/v1/configmaps")
    assert (found["metadata"]["namespace"], found["data"]) == ("web", {"colour": "blue"})
    assert "web" in inner.names("/api/v1/namespaces")


def test_where_only_names_are_asked_for_nothing_else_is_told(inner: Inner) -> None:
    inner.put("Secret", "password", data={"password": "c2VjcmV0"})
    (found,) = Inside(inner.session, inner.name).list("/api/v1/secrets", only_metadata=True)
    assert found == {"metadata": {"namespace": "web", "name": "password"}}


def test_a_route_of_the_world_is_a_service_with_endpoints_and_a_deployment(inner: Inner) -> None:
    world(inner, replicas=3)
    read: Any = objects.read(inner.session, inner.name, CONTROLLERS)
    (service,), (slices,), (deployment,) = (read[kind] for kind in ("services", "endpointslices", "deployments"))
    assert (service["metadata"], service["spec"]["type"]) == ({"namespace": "web", "name": "web"}, "NodePort")
    assert service["spec"]["ports"] == [{"protocol": "TCP", "port": 80, "nodePort": 31000}]
    assert slices["metadata"]["labels"] == {"kubernetes.io/service-name": "web"}
    assert slices["ports"] == [{"protocol": "TCP", "port": 31000}]
    assert [end["conditions"]["ready"] for end in slices["endpoints"]] == [True, True]
    assert deployment["spec"]["template"]["metadata"]["labels"] == service["spec"]["selector"]
    assert (deployment["spec"]["replicas"], deployment["status"]) == (3, {"replicas": 2, "readyReplicas": 2})


def test_pods_that_are_not_ready_are_not_told_as_ready(inner: Inner) -> None:
    world(inner, ready=False)
    read: Any = objects.read(inner.session, inner.name, CONTROLLERS)
    assert [end["conditions"]["ready"] for end in read["endpointslices"][0]["endpoints"]] == [False, False]
    assert read["deployments"][0]["status"]["readyReplicas"] == 0


def test_the_webhooks_of_a_controller_answer_in_its_namespace_while_it_is_up(inner: Inner) -> None:
    world(inner)
    path = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    assert inner.names(path) == []
    release = {"chart": LOAD_BALANCER_CONTROLLER, "namespace": "kube-system", "metadata": {"name": "lbc"}}
    inner.objects.put("Release", "kube-system", "lbc", release)
    for up in (True, False):
        set_answering(inner.store, inner.name, LOAD_BALANCER_CONTROLLER, answering=up)
        assert unanswered(LOAD_BALANCER, Inside(inner.session, inner.name).list(path)) is not up
    assert inner.names(path) == ["aws-load-balancer-webhook-service-rehearsal"]


def test_kinds_of_a_chart_are_there_once_it_is_installed(inner: Inner) -> None:
    path = "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings"
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert (inner.ask(path)[0], inner.names(definitions)) == (404, [])
    world(inner)
    assert (inner.names(path), inner.names(definitions)) == (["web"], ["targetgroupbindings.elbv2.k8s.aws"])


def test_what_would_be_missed_is_seen_by_a_retirement(inner: Inner) -> None:
    inner.put("Service", "shop", spec={"type": "LoadBalancer"})
    inner.put("Job", "nightly", status={"active": 1})
    inner.objects.put("PersistentVolume", "", "pv-1", {"metadata": {"name": "pv-1"}, "status": {"phase": "Bound"}})
    world(inner)
    for name, arn in (("own", "arn:own"), ("of-another-stack", "arn:theirs")):
        inner.put("TargetGroupBinding", name, spec={"serviceRef": {"name": name, "port": 80}, "targetGroupARN": arn})
    inner.objects.delete("TargetGroupBinding", "web", "web")
    assert usage.inside(Inside(inner.session, inner.name), {"arn:own"}) == {
        Word.KARPENTER: [],
        Word.LOAD_BALANCERS: ["web/shop"],
        Word.VOLUMES: ["pv-1"],
        Word.JOBS: ["web/nightly"],
        Word.BINDINGS: ["web/of-another-stack"],
    }


def test_pod_identities_come_with_their_roles(inner: Inner, served: Front) -> None:
    association = {"namespace": "web", "serviceAccount": "web", "roleArn": "arn:aws:iam::123456789012:role/web"}
    served.account.create(POD_IDENTITY, "web", clusterName=inner.name, **association)
    (found,) = objects.read(inner.session, inner.name, CONTROLLERS)["identities"]  # pyright: ignore[reportGeneralTypeIssues]
    assert found.items() >= association.items()


def test_a_long_list_comes_in_pages(inner: Inner) -> None:
    for name in ("a", "b", "c"):
        inner.put("ConfigMap", name)
    _, first = inner.ask("/api/v1/configmaps?limit=2")
    _, second = inner.ask(f"/api/v1/configmaps?limit=2&continue={first['metadata']['continue']}")
    pages = [[one["metadata"]["name"] for one in page["items"]] for page in (first, second)]
    assert (pages, second["metadata"]) == ([["a", "b"], ["c"]], {})


def test_a_crd_is_found_by_its_name_with_the_fields_that_came_with_its_version(inner: Inner) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    name = "targetgroupbindings.elbv2.k8s.aws"

    def fields(of: str) -> set[str]:
        inner.objects.delete("CustomResourceDefinitions", "", LOAD_BALANCER_CONTROLLER)
        inner.objects.install_kinds(LOAD_BALANCER_CONTROLLER, of)
        inner.objects.install_kinds(LOAD_BALANCER_CONTROLLER)  # Helm upgrades no CRDs
        _, document = inner.ask(f"{path}?fieldSelector=metadata.name%3D{name}")
        (found,) = document["items"]
        assert found["metadata"]["name"] == name
        (served,) = found["spec"]["versions"]
        return {*served["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]}

    assert fields("") - fields("2.11") == {"targetGroupProtocol", "iamRoleArnToAssume", "assumeRoleExternalId"}


def test_who_has_no_token_learns_nothing(inner: Inner) -> None:
    status, document = inner.ask("/api/v1/services", Authorization="Basic somebody")
    assert (status, document["kind"], document["reason"]) == (401, "Status", "Unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/v1/configmaps", 405),
        ("DELETE", "/api/v1/configmaps", 405),
        ("GET", "/api/v1/namespaces/web/configmaps/settings", 404),
        ("GET", "/api/v1/configmaps?labelSelector=app%3Dweb", 400),
        ("GET", "/api/v1/configmaps?watch=true", 400),
    ],
)
def test_whatever_is_no_list_of_a_collection_is_refused(inner: Inner, method: str, path: str, status: int) -> None:
    inner.put("ConfigMap", "settings")
    answered, document = inner.ask(path, method)
    assert (answered, document["code"]) == (status, status)
    assert inner.names("/api/v1/configmaps") == ["settings"]


def test_a_cluster_that_is_played_unreachable_cannot_be_read_until_it_answers_again(inner: Inner) -> None:
    set_reachable(inner.store, inner.name, reachable=False)
    with pytest.raises(InsideError, match="cannot be reached"):
        inner.names("/api/v1/services")
    set_reachable(inner.store, inner.name, reachable=True)
    assert inner.names("/api/v1/services") == []


def test_a_cluster_that_is_played_silent_says_nothing_until_it_answers_again(inner: Inner) -> None:
    set_reachable(inner.store, inner.name, reachable=False, silent=True)
    timer = threading.Timer(1, set_reachable, (inner.store, inner.name), {"reachable": True})
    begin = time.monotonic()
    timer.start()
    assert inner.ask("/api/v1/services")[0] == 200
    assert time.monotonic() - begin >= 1


def test_nobody_answers_for_a_cluster_that_is_gone_nor_for_its_namesake_before(inner: Inner, served: Front) -> None:
    endpoint = inner.made.state["endpoint"]
    inner.made.state["endpoint"] = endpoint[:-1] + ("0" if endpoint[-1] != "0" else "1")
    with pytest.raises(urllib3.exceptions.HTTPError):
        inner.ask("/api/v1/services")
    inner.made.state["endpoint"] = endpoint
    assert inner.ask("/api/v1/services")[0] == 200
    served.account.delete(inner.made)
    with pytest.raises(urllib3.exceptions.HTTPError):
        inner.ask("/api/v1/services")


def test_the_authority_of_one_rehearsal_vouches_for_no_other(inner: Inner) -> None:
    _, stranger = api_server.certificate("kubernetes")
    inner.made.state["certificateAuthority"] = {"data": base64.b64encode(stranger).decode()}
    with pytest.raises(urllib3.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        inner.ask("/api/v1/services")
