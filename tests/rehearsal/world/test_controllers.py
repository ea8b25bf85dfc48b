"""The emulated AWS Load Balancer Controller, row by row as the real one was seen to behave."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.retries.standard
import pytest

from rehearsal.cloud.eks_documents import CLUSTERS
from rehearsal.cloud.kubernetes.cluster import AUTO_MODE, Cluster, set_answering, set_reachable
from rehearsal.cloud.targets import Targets
from rehearsal.world.binding_controller import (
    REGISTRATIONS,
    BindingController,
    Throttle,
    changes,
    controller_role,
    wanted,
)
from rehearsal.world.controllers import EVENT, Controllers, Failed, Queue, Role, connect, seconds
from tests.rehearsal.emulated import REGION, ZONE, Cloud, Inline, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rehearsal.cloud.refused import Props

CHART = "aws-load-balancer-controller"


@dataclass
class Place:
    """One cluster with its controller, and a target group that is attached to the load balancer."""

    cloud: Cloud
    group: str
    key: str = field(default_factory=lambda: f"v1-{uuid.uuid4().hex[:6]}")
    calls: list[str] = field(default_factory=list[str])
    roles: list[tuple[Role, ...]] = field(default_factory=list[tuple[Role, ...]])
    time: float = 0.0
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    chart: str = CHART

    def __post_init__(self) -> None:
        self.cluster = Cluster(self.cloud.store, f"test-{self.key}")
        self.controller = self.start()

    def start(self) -> BindingController:
        """Start the controller, as a restart of its pods does."""
        queue = Queue(Inline(), lambda: self.time)
        return BindingController(self.cloud.store, self.cluster, self.key, self.connect, queue)

    def connect(self, service: str, region: str, agent: str, retries: int, *roles: Role) -> Any:
        """Connect as the controller does, and write down what it asks."""
        self.roles.append(roles)
        client = connect(service, region, agent, retries, *roles)
        client.meta.events.register("before-call", lambda model, **_: self.calls.append(model.name))
        return client

    def bind(self, target_type: str = "instance", name: str = "web", api: str = "elbv2.k8s.aws/v1beta1") -> None:
        """Make a binding of the Service of the same name."""
        spec = {
            "serviceRef": {"name": name, "port": 80},
            "targetGroupARN": self.group,
            "targetType": target_type,
        }
        metadata = {"name": name, "namespace": "web", "uid": uuid.uuid4().hex}
        self.cluster.put(
            "TargetGroupBinding",
            "web",
            name,
            {"apiVersion": api, "kind": "TargetGroupBinding", "metadata": metadata, "spec": spec},
        )

    def unbind(self, name: str = "web") -> None:
        """Delete a binding, as the API server does while its finalizer is set."""
        self.cluster.change(
            "TargetGroupBinding",
            "web",
            name,
            lambda live: live and {**live, "metadata": {**live["metadata"], "deletionTimestamp": "now"}},
        )

    def bound(self, name: str = "web") -> bool:
        """Tell whether the binding is still there."""
        return self.cluster.get("TargetGroupBinding", "web", name) is not None

    def node(self) -> str:
        """Make a node of this cluster."""
        node = f"i-{uuid.uuid4().hex[:17]}"
        self.cloud.store.put("node", node, {"address": "127.0.1.1", "zone": ZONE, "cluster": self.key})
        return node

    def serve(self, *pods: str, node_port: int = 31000, kind: str = "NodePort", unready: str = "") -> None:
        """Let the Service be of a kind and have pods at these addresses."""
        endpoints = [{"address": pod, "port": 8080, "zone": ZONE, "node": "", "ready": pod != unready} for pod in pods]
        document = {"type": kind, "nodePort": node_port, "endpoints": endpoints}
        self.cloud.store.put("service", f"{self.key}|web|web", document)

    def step(self) -> None:
        """Let the controller look once."""
        self.controller.step({"chart": self.chart, "version": "3.5.0", "values": {"region": REGION, **self.values}})

    def registered(self, group: str = "") -> set[tuple[str, int]]:
        """Return the targets of the group that are not leaving."""
        targets = Targets(self.cloud.store).of(group or self.group)
        return {(target.id, target.port) for target in targets if target.state != "draining"}

    def zones(self) -> set[str]:
        """Return the zones of the targets."""
        return {target.zone for target in Targets(self.cloud.store).of(self.group)}

    def event(self, reason: str, name: str = "web") -> dict[str, Any]:
        """Return an event of the binding."""
        return self.cloud.store.get(EVENT, f"{self.cluster.name}|TargetGroupBinding|web|{name}|{reason}") or {}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def connected(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint)


@pytest.fixture
def place(cloud: Cloud) -> Place:
    group = cloud.group()
    cloud.attach(group)
    return Place(cloud, group)


@pytest.fixture
def pods(cloud: Cloud) -> Place:
    group = cloud.group("ip")
    cloud.attach(group)
    return Place(cloud, group)


def until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.01)


def test_nodes_are_registered_with_the_node_port_once_the_service_is_there(place: Place) -> None:
    node = place.node()
    place.bind()
    place.step()
    assert place.registered() == set()
    place.serve()
    place.step()
    assert place.registered() == {(node, 31000)}
    assert place.event("SuccessfullyReconciled")["type"] == "Normal"


def test_pods_beyond_the_load_balancers_vpc_or_account_have_no_zone_there(pods: Place) -> None:
    pods.bind("ip")
    pods.serve("127.0.2.1")
    pods.step()
    assert pods.zones() == {ZONE}
    (binding,) = pods.cluster.all("TargetGroupBinding")
    for beyond in ({"vpcID": "vpc-of-others"}, {"iamRoleArnToAssume": "arn:aws:iam::1:role/targets"}):
        spec = {**binding["spec"], **beyond}
        service = {"endpoints": [{"address": "127.0.2.1", "port": 1, "zone": ZONE, "ready": True}]}
        assert wanted({**binding, "spec": spec}, service, [], "vpc-of-the-cluster") == {("127.0.2.1", 1, "all")}


def test_in_another_account_it_has_a_role_of_its_own_and_takes_on_that_of_a_binding(place: Place) -> None:
    place.cloud.store.put(CLUSTERS, place.cluster.name, {"account": "222222222222", "vpcId": "vpc-1"})
    place.serve(kind="NodePort")
    place.bind()
    place.step()
    own = (controller_role("222222222222", place.cluster.name), "")
    assert place.roles == [(own,)]
    assert "AccessDenied" in place.event("FailedReconcile")["message"]

    def name(live: dict[str, Any] | None) -> dict[str, Any] | None:
        named = {"iamRoleArnToAssume": "arn:aws:iam::1:role/targets", "assumeRoleExternalId": "prod"}
        return live and {**live, "spec": {**live["spec"], **named}}

    place.cluster.change("TargetGroupBinding", "web", "web", name)
    place.node()
    place.step()
    assert place.roles[-1] == (own, ("arn:aws:iam::1:role/targets", "prod"))


def test_nodes_of_other_clusters_are_not_registered(place: Place) -> None:
    mine = place.node()
    place.cloud.node()
    place.bind()
    place.serve()
    place.step()
    assert place.registered() == {(mine, 31000)}


def test_ready_pods_are_registered_with_their_zone_and_leave_when_they_are_not_ready(pods: Place) -> None:
    pods.bind("ip")
    pods.serve("127.0.1.1", "127.0.1.2", unready="127.0.1.2")
    pods.step()
    assert [one["Target"] for one in pods.cloud.health(pods.group)] == [
        {"Id": "127.0.1.1", "Port": 8080, "AvailabilityZone": ZONE}
    ]
    pods.serve("127.0.1.1", "127.0.1.2", unready="127.0.1.1")
    pods.step()
    assert pods.cloud.states(pods.group) == {"127.0.1.1": "draining", "127.0.1.2": "initial"}


def test_a_missing_service_of_nodes_counts_as_reconciled_and_empties_the_group_of_foreign_targets_too(
    place: Place,
) -> None:
    place.cloud.client("elbv2").register_targets(TargetGroupArn=place.group, Targets=[{"Id": place.cloud.node()}])
    place.bind()
    place.step()
    assert place.registered() == set()
    assert place.event("SuccessfullyReconciled")
    assert place.event("BackendNotFound")["type"] == "Warning"
    assert not place.event("FailedReconcile")
    place.serve()
    place.node()
    place.step()
    assert place.event("BackendNotFound")["count"] == 1


def test_a_missing_service_of_pods_changes_nothing(pods: Place) -> None:
    pods.bind("ip")
    pods.serve("127.0.1.1")
    pods.step()
    pods.cloud.store.delete("service", f"{pods.key}|web|web")
    pods.calls.clear()
    pods.step()
    assert pods.registered() == {("127.0.1.1", 8080)}
    assert pods.calls == []


def test_another_node_port_empties_the_group_before_it_is_filled(place: Place) -> None:
    node = place.node()
    place.bind()
    place.serve(node_port=31000)
    place.step()
    place.calls.clear()
    place.serve(node_port=31001)
    place.step()
    assert place.registered() == {(node, 31001)}
    assert place.calls == ["DescribeTargetHealth", "DeregisterTargets", "RegisterTargets"]


def test_a_cluster_ip_service_fails_for_nodes_and_says_so(place: Place) -> None:
    place.node()
    place.bind()
    place.serve(kind="ClusterIP")
    place.step()
    event = place.event("FailedReconcile")
    assert event["type"] == "Warning"
    assert "service type must be either 'NodePort' or 'LoadBalancer': web/web" in event["message"]
    assert place.calls == []


def test_a_deleted_binding_takes_its_targets_out_and_waits_for_no_draining(place: Place) -> None:
    node = place.node()
    place.bind()
    place.serve()
    place.step()
    place.unbind()
    place.step()
    assert not place.bound()
    assert place.cloud.states(place.group) == {node: "draining"}


def test_auto_mode_looks_at_bindings_of_its_own_kind_and_empties_a_group_only_that_is_tagged_for_it(
    place: Place,
) -> None:
    place.chart, node = AUTO_MODE, place.node()
    place.serve("10.0.1.1")
    place.bind(name="other")
    place.step()
    assert place.registered() == set()
    place.bind(api="eks.amazonaws.com/v1")
    place.step()
    assert place.registered() == {(node, 31000)}
    place.serve("10.0.1.1", node_port=31001)
    place.step()
    assert place.registered() == {(node, 31000)}, "nothing leaves, so nothing comes"
    tag = {"Key": "eks:eks-cluster-name", "Value": place.cluster.name}
    place.cloud.client("elbv2").add_tags(ResourceArns=[place.group], Tags=[tag])
    place.time += 3600
    place.step()
    assert place.registered() == {(node, 31001)}


def test_a_group_deleted_under_a_binding_fails_its_changes_and_not_its_deletion(cloud: Cloud) -> None:
    place = Place(cloud, cloud.group())
    place.node()
    place.bind()
    place.serve()
    place.step()
    cloud.client("elbv2").delete_target_group(TargetGroupArn=place.group)
    place.serve(node_port=31001)
    place.step()
    assert "TargetGroupNotFound" in place.event("FailedReconcile")["message"]
    place.unbind()
    place.step()
    assert not place.bound()


def test_a_second_binding_on_one_group_wipes_the_first(place: Place) -> None:
    node = place.node()
    place.bind()
    place.serve()
    place.step()
    assert place.registered() == {(node, 31000)}
    place.bind(name="other")  # its Service is missing
    place.step()
    assert place.registered() == set()


def test_two_clusters_with_a_group_each_do_not_meet(place: Place) -> None:
    other = Place(place.cloud, place.cloud.group())
    nodes = [one.node() for one in (place, other)]
    for one in (place, other):
        one.bind()
        one.serve()
        one.step()
    place.step()
    assert (place.registered(), other.registered()) == ({(nodes[0], 31000)}, {(nodes[1], 31000)})


def test_of_two_clusters_with_one_group_the_last_wins_once_and_the_loser_never_notices(place: Place) -> None:
    other = Place(place.cloud, place.group)
    nodes = [one.node() for one in (place, other)]
    for one in (place, other):
        one.bind()
        one.serve()
        one.step()
    assert place.registered() == {(nodes[1], 31000)}
    place.calls.clear()
    for one in (place, other, place, other):
        one.step()
    assert place.registered() == {(nodes[1], 31000)}
    assert place.calls == []
    assert place.event("SuccessfullyReconciled")["count"] == 1
    assert not place.event("FailedReconcile")


def test_targets_changed_by_hand_are_not_healed_until_the_checkpoint_is_taken_off(place: Place) -> None:
    node = place.node()
    place.bind()
    place.serve()
    place.step()
    place.cloud.client("elbv2").deregister_targets(TargetGroupArn=place.group, Targets=[{"Id": node, "Port": 31000}])
    place.step()
    assert place.registered() == set()

    def without_checkpoint(live: Props | None) -> Props | None:
        return live and {**live, "metadata": {**live["metadata"], "annotations": {}}}

    place.cluster.change("TargetGroupBinding", "web", "web", without_checkpoint)
    place.step()
    assert place.registered() == {(node, 31000)}


def test_a_steady_state_and_a_restart_ask_aws_nothing(place: Place) -> None:
    place.node()
    place.bind()
    place.serve()
    place.step()
    place.calls.clear()
    place.step()
    place.controller = place.start()
    place.step()
    assert place.calls == []


def test_a_new_binding_of_an_old_name_is_reconciled_anew(place: Place) -> None:
    node = place.node()
    place.bind()
    place.serve()
    place.step()
    place.unbind()
    place.step()
    place.bind()
    place.step()
    assert place.registered() == {(node, 31000)}


def test_a_refusal_is_an_event_and_is_retried_after_waits_that_double_up_to_the_cap(place: Place) -> None:
    place.values = {"targetgroupbindingMaxExponentialBackoffDelay": "1s"}
    place.cloud.fault("DescribeTargetHealth", remaining=1000, status=403, code="AccessDenied", message="not allowed")
    place.bind()
    tried: list[float] = []
    while place.time < 5:
        before = len(place.calls)
        place.step()
        if len(place.calls) > before:
            tried.append(place.time)
        place.time += 0.005
    place.cloud.store.delete("fault", "DescribeTargetHealth")
    waits = [after - before for before, after in itertools.pairwise(tried)]
    assert waits == pytest.approx([0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0], abs=0.006)
    event = place.event("FailedReconcile")
    assert event["count"] == len(tried)
    assert "AccessDenied" in event["message"]


def test_a_change_of_what_it_wants_ends_the_waiting(place: Place) -> None:
    node = place.node()
    place.bind()
    place.serve(kind="ClusterIP")
    place.step()
    place.step()
    assert place.event("FailedReconcile")["count"] == 1
    place.serve()
    place.step()
    assert place.registered() == {(node, 31000)}


@pytest.mark.parametrize(("code", "status"), [("Throttling", 400), ("InternalFailure", 500)])
def test_throttling_and_errors_of_the_server_are_retried_in_silence(
    place: Place, monkeypatch: pytest.MonkeyPatch, code: str, status: int
) -> None:
    monkeypatch.setattr(botocore.retries.standard.ExponentialBackoff, "delay_amount", lambda *_: 0.0)
    node = place.node()
    place.bind()
    place.serve()
    place.cloud.fault("RegisterTargets", remaining=4, status=status, code=code, message="later")
    place.step()
    assert place.registered() == {(node, 31000)}
    assert not place.event("FailedReconcile")


def test_few_retries_make_throttling_visible(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.retries.standard.ExponentialBackoff, "delay_amount", lambda *_: 0.0)
    place.values = {"awsMaxRetries": 2}
    node = place.node()
    place.bind()
    place.serve()
    place.cloud.fault("RegisterTargets", remaining=4, code="Throttling", message="Rate exceeded")
    place.step()
    assert "Rate exceeded" in place.event("FailedReconcile")["message"]
    place.time += 1
    place.step()
    assert place.registered() == {(node, 31000)}


def test_three_objects_that_are_held_up_hold_up_all_others() -> None:
    queue, released = Queue(), threading.Event()
    begun: list[str] = []

    def work(name: str) -> Callable[[], None]:
        def hang() -> None:
            begun.append(name)
            released.wait()

        return hang

    try:
        for name in ("a", "b", "c", "d"):
            queue.offer(name, "", 1.0, work(name))
        queue.offer("a", "", 1.0, work("a again"))
        until(lambda: len(begun) >= 3)
        assert sorted(begun) == ["a", "b", "c"]
    finally:
        released.set()
    until(lambda: len(begun) >= 4)
    queue.close()
    assert begun[3:] == ["d"]


def test_a_hundred_bindings_take_twenty_seconds() -> None:
    clock = [0.0]

    def sleep(wait: float) -> None:
        clock[0] += wait

    throttle = Throttle(REGISTRATIONS, lambda: clock[0], sleep)
    for _ in range(20):
        throttle.pause()
    assert clock[0] == 0.0
    for _ in range(80):
        throttle.pause()
    assert clock[0] == 20.0


def test_what_is_draining_is_registered_again_when_it_comes_back() -> None:
    health = [
        {"Target": {"Id": "127.0.1.1", "Port": 80}, "TargetHealth": {"State": "draining"}},
        {"Target": {"Id": "127.0.1.2", "Port": 80}, "TargetHealth": {"State": "unused"}},
    ]
    gone, come = changes(frozenset({("127.0.1.1", 80, ZONE)}), health)
    assert gone == [{"Id": "127.0.1.2", "Port": 80}]
    assert come == [{"Id": "127.0.1.1", "Port": 80, "AvailabilityZone": ZONE}]


def test_a_service_of_type_load_balancer_has_node_ports_too() -> None:
    binding = {"metadata": {"namespace": "web"}, "spec": {"targetType": "instance", "serviceRef": {"name": "web"}}}
    service: dict[str, Any] = {"type": "LoadBalancer", "nodePort": 31000, "endpoints": []}
    assert wanted(binding, service, ["i-1"]) == {("i-1", 31000, "")}
    with pytest.raises(Failed):
        wanted(binding, {**service, "type": "ClusterIP"}, ["i-1"])


def test_durations_are_read_as_go_writes_them() -> None:
    assert [seconds(text) for text in ("5s", "1000s", "1m30s", "200ms")] == [5.0, 1000.0, 90.0, 0.2]


def test_a_controller_works_while_it_is_installed_and_up_and_its_cluster_can_be_reached(place: Place) -> None:
    node = place.node()
    place.bind()
    place.serve()
    controllers = Controllers(
        place.cloud.store,
        {CHART: lambda store, cluster, key: BindingController(store, cluster, key, connect, Queue(Inline()))},
    )
    clusters = {place.cluster.name: place.key}
    release = {"chart": CHART, "version": "3.5.0", "values": {"region": REGION}}
    controllers.step(clusters)
    assert place.registered() == set()
    place.cluster.put("Release", "kube-system", CHART, release)
    set_reachable(place.cloud.store, place.cluster.name, reachable=False)
    controllers.step(clusters)
    controllers.step({})
    assert place.registered() == set()
    set_reachable(place.cloud.store, place.cluster.name, reachable=True)
    controllers.step(clusters)
    assert place.registered() == {(node, 31000)}
    set_answering(place.cloud.store, place.cluster.name, CHART, answering=False)
    place.serve(node_port=32000)
    controllers.step(clusters)
    assert place.registered() == {(node, 31000)}
    set_answering(place.cloud.store, place.cluster.name, CHART, answering=True)
    controllers.step(clusters)
    assert place.registered() == {(node, 32000)}
    place.cluster.delete("Release", "kube-system", CHART)
    place.unbind()
    controllers.step(clusters)
    assert place.bound()
    assert place.registered() == {(node, 32000)}
    controllers.close()
