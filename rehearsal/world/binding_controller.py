"""The emulated AWS Load Balancer Controller of one cluster: it registers what a TargetGroupBinding's Service has.

From AWS Load Balancer Controller 3.5.0 as it was seen to run in binding-only mode. It trusts its own checkpoint: while
what it wants is unchanged it asks AWS nothing, and so sees no target that somebody else took out or put in. Refuses to
own workers, waits and events (controllers.py), and pods and Services (workloads.py).
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.bucket import Bucket
from rehearsal.cloud.kubernetes.cluster import AUTO_MODE, KINDS, at, chart_of
from rehearsal.world.controllers import Failed, Queue, annotate, leaving, let_go, place, same, say, seconds
from rehearsal.world.controllers import connect as connect_to_aws
from settings.bindings import AUTO_MODE_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rehearsal.cloud.kubernetes.cluster import Cluster
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.store import Store
    from rehearsal.world.controllers import Connect, Role

KIND = "TargetGroupBinding"
_KINDS = {kind.chart: kind for kind in KINDS.values() if kind.name == KIND}
CHECKPOINT = "elbv2.k8s.aws/checkpoint"
FINALIZER = "elbv2.k8s.aws/resources"

REGISTRATIONS = (20, 4)
"""Calls of RegisterTargets and DeregisterTargets that the controller allows itself at once, and each second."""

_RETRIES = 10
_LONGEST_WAIT = "1000s"

Wanted = frozenset[tuple[str, int, str]]
"""Targets: (id, port, zone), the zone empty for nodes."""


def wanted(binding: Props, service: Props | None, nodes: Iterable[str], vpc: str = "") -> Wanted | None:
    """Return the targets that a binding's group should have, or None where the controller does nothing.

    ``service`` is the document of the Service, or None when it is missing; ``nodes`` are the instance ids of the
    cluster, which is in ``vpc``. Node targets of a missing Service are none at all, pod targets are left as they are.
    Those of another VPC or account have the zone ``all`` (aws-load-balancer-controller #4831). Raises Failed.
    """
    if binding["spec"]["targetType"] == "ip":
        if service is None:
            return None
        ready = (endpoint for endpoint in service["endpoints"] if endpoint["ready"])
        beyond = "iamRoleArnToAssume" in binding["spec"] or (vpc and binding["spec"].get("vpcID", vpc) != vpc)
        return frozenset((one["address"], one["port"], "all" if beyond else one["zone"]) for one in ready)
    if service is None:
        return frozenset()
    if service["type"] not in {"NodePort", "LoadBalancer"}:
        named = f"{binding['metadata']['namespace']}/{binding['spec']['serviceRef']['name']}"
        raise Failed(f"service type must be either 'NodePort' or 'LoadBalancer': {named}")
    return frozenset((node, service["nodePort"], "") for node in nodes)


def changes(wanted: Wanted, health: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return what to deregister and what to register, as the API takes it.

    ``health`` is what DescribeTargetHealth has. Whoever registered a target: what is not wanted goes. One that is
    draining is not there any more.
    """
    there = {
        (one["Target"]["Id"], one["Target"]["Port"]) for one in health if one["TargetHealth"]["State"] != "draining"
    }
    keep = {(target, port) for target, port, _ in wanted}
    gone = [{"Id": target, "Port": port} for target, port in sorted(there - keep)]
    come = [
        {"Id": target, "Port": port, **({"AvailabilityZone": zone} if zone else {})}
        for target, port, zone in sorted(wanted)
        if (target, port) not in there
    ]
    return gone, come


def checkpoint(binding: Props, wanted: Wanted) -> str:
    """Return what the controller writes on a binding once its group has what it wants."""
    said = json.dumps([binding["spec"], sorted(wanted)], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def controller_role(account: str, cluster: str) -> str:
    """Return the role that the controller of a cluster has in an account that is not the rehearsal's own."""
    return f"arn:aws:iam::{account}:role/{cluster}-controller"


class Throttle:
    """Holds a caller until it may make one more call."""

    def __init__(
        self,
        rate: tuple[int, int] = REGISTRATIONS,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._now, self._sleep = now, sleep
        self._wait = 1 / rate[1]
        self._bucket = Bucket(*rate, now())
        self._lock = threading.Lock()

    def pause(self) -> None:
        """Return once there is a token."""
        with self._lock:
            while not self._bucket.take(self._now()):
                self._sleep(self._wait)


class BindingController:
    """The controller of one cluster, whose Services are documents under ``key``."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        key: str,
        connect: Connect = connect_to_aws,
        queue: Queue | None = None,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._key = key
        self._connect = connect
        self._started: Props = {}
        self._clients: dict[tuple[Role, ...], Any] = {}
        self._throttle = Throttle()
        self._queue = queue or Queue()

    def step(self, release: Props) -> None:
        """Look at every binding once, and work on those that are not as the checkpoint says."""
        bindings = self._cluster.of(_KINDS[chart_of(release)])
        if not bindings:
            return
        if release != self._started:
            self._start(release)
        longest_wait = seconds(self._setting("targetgroupbindingMaxExponentialBackoffDelay", _LONGEST_WAIT))
        services = self._store.all("service")
        nodes = [node for node, about in self._store.all("node").items() if about.get("cluster") == self._key]
        for binding in bindings:
            name = "/".join(place(binding))
            if leaving(binding):
                self._queue.offer(name, "leaving", longest_wait, lambda binding=binding: self._clean_up(binding))
                continue
            namespace, service = binding["metadata"]["namespace"], binding["spec"]["serviceRef"]["name"]
            found = services.get(f"{self._key}|{namespace}|{service}")
            try:
                want = wanted(binding, found, nodes, self._cluster.vpc)
            except Failed as failed:
                self._queue.offer(
                    name, str(failed), longest_wait, lambda binding=binding, why=failed: self._fail(binding, why)
                )
                continue
            if want is None:
                continue
            mark = checkpoint(binding, want)
            if at(binding, "metadata", "annotations", CHECKPOINT) != mark:
                self._queue.offer(
                    name,
                    mark,
                    longest_wait,
                    lambda binding=binding, want=want, mark=mark, there=found is not None: self._reconcile(
                        binding, want, mark, there=there
                    ),
                )

    def close(self) -> None:
        """Stop working."""
        self._queue.close()

    def _start(self, release: Props) -> None:
        self._started = release
        self._clients.clear()

    def _elb(self, binding: Props) -> Any:
        """Return a client in the account of a binding's target group, as far as it names a role there."""
        agent, retries = f"elbv2.k8s.aws/v{self._started['version']}", self._setting("awsMaxRetries", _RETRIES)
        named, account = binding["spec"].get("iamRoleArnToAssume"), self._cluster.account
        own = [(controller_role(account, self._cluster.name), "")] if account else []
        roles = (*own, *([(named, binding["spec"].get("assumeRoleExternalId", ""))] if named else []))
        if roles not in self._clients:
            self._clients[roles] = self._connect("elbv2", self._setting("region", ""), agent, retries, *roles)
        return self._clients[roles]

    def _setting(self, name: str, default: Any) -> Any:
        return self._started.get("values", {}).get(name, default)

    def _reconcile(self, binding: Props, want: Wanted, mark: str, *, there: bool) -> None:
        live = self._live(binding)
        if live is None or leaving(live) or at(live, "metadata", "annotations", CHECKPOINT) == mark:
            return
        annotate(self._cluster, binding, finalizers=[FINALIZER])
        if not there:
            service = f"{binding['metadata']['namespace']}/{binding['spec']['serviceRef']['name']}"
            say(self._store, self._cluster, binding, "BackendNotFound", f"backend not found: Service {service}")
        try:
            self._bring_about(binding, want)
        except (ClientError, BotoCoreError, Failed) as error:
            self._fail(binding, error)
        annotate(self._cluster, binding, annotations={CHECKPOINT: mark})
        say(self._store, self._cluster, binding, "SuccessfullyReconciled", "Successfully reconciled")

    def _clean_up(self, binding: Props) -> None:
        # Nobody waits for the end of the draining, and a group that is gone has nothing left to take out.
        if self._live(binding) is None:
            return
        try:
            self._bring_about(binding, frozenset())
        except (ClientError, BotoCoreError) as error:
            if not _says(error, "TargetGroupNotFound"):
                say(self._store, self._cluster, binding, "FailedCleanup", f"Failed cleanup due to {error}")
                raise
        let_go(self._cluster, binding)

    def _live(self, binding: Props) -> Props | None:
        """Return what a binding has become since it was looked at, or None when it is gone."""
        live = self._cluster.get(KIND, *place(binding))
        return live if live and same(live, binding) else None

    def _bring_about(self, binding: Props, want: Wanted) -> None:
        elb, group = self._elb(binding), binding["spec"]["targetGroupARN"]
        health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        gone, come = changes(want, health)
        if gone:
            self._check_tagged(elb, group)
            self._throttle.pause()
            elb.deregister_targets(TargetGroupArn=group, Targets=gone)
        if come:
            self._throttle.pause()
            elb.register_targets(TargetGroupArn=group, Targets=come)

    def _check_tagged(self, elb: Any, group: str) -> None:
        """Raise Failed where AWS runs the controller, and its role may not take targets out of a group (adoption)."""
        if self._started["chart"] != AUTO_MODE:
            return
        (found,) = elb.describe_tags(ResourceArns=[group])["TagDescriptions"]
        if {"Key": AUTO_MODE_TAG, "Value": self._cluster.name} not in found["Tags"]:
            raise Failed(f"AccessDenied: not authorized to perform elasticloadbalancing:DeregisterTargets on {group}")

    def _fail(self, binding: Props, why: Exception) -> None:
        say(self._store, self._cluster, binding, "FailedReconcile", f"Failed reconcile due to {why}")
        raise why


def _says(error: Exception, code: str) -> bool:
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") == code
