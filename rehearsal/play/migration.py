"""A whole migration under traffic, on the real engine: the old cluster alone, the new one beside it, the old one gone.

Owns the steps, what each may touch, and which requests may fail in it. Refuses to own the emulated AWS (sandbox.py),
the clients (load.py) and how progress is shown.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cutover.engine.run import watch
from cutover.rules.judgement import weights_alone
from cutover.rules.run import LISTENER_RULE, Run
from rehearsal.cloud.targets import Targets
from rehearsal.play import stackfile
from rehearsal.play.answers import Answer, by_step, split_faults, tally
from rehearsal.play.beforehand import prepare
from rehearsal.play.load import Load, Names, ask, destinations
from rehearsal.world.metrics import NAMESPACE, POINTS_PER_CALL, past
from rehearsal.world.process import DEFAULT_SPEED, PROPAGATION_SECONDS
from rehearsal.world.workloads import WORKLOAD
from settings.values import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from rehearsal.engine.sandbox import Sandbox
    from rehearsal.play.answers import Tally
    from rehearsal.play.stackfile import Config

_FEW = 2  # pods of a cluster where it is small: as the new one begins, or as autoscalers leave it in the night
_MANY = 2  # times as many it has by day, on as many nodes
_DAY = 3.0  # times the requests of now came by day, which the old cluster has carried for weeks
_QUIET_BUCKETS, _BUSY_BUCKETS = 4, 30  # five minutes each, of the past that the gate looks at
_HOUR_BUCKETS = 12
_INTERVAL, _THRESHOLD = 15, 2  # seconds between two health checks, and how many must agree, unless a route says so
_NO_KILL = ("", math.inf)
_PATIENCE_SECONDS = 60.0  # beside what the health checks take
_MOVING = " (moving)"


@dataclass(frozen=True, kw_only=True)
class Act:
    """One step of a migration.

    ``edit`` is what the stack file becomes, ``faults`` what the plan may not have touched. ``before`` changes the world
    first. ``refused`` is what the gate must say where it must refuse, and then nothing may have moved. ``dying`` names
    the cluster whose own requests may fail, since it has been killed.
    """

    title: str
    weights: Mapping[str, int]
    edit: Callable[[Config], None]
    faults: Callable[[Run], list[str]] = lambda _: []
    before: Callable[[Sandbox], None] = lambda _: None
    refused: str = ""
    dying: str = ""
    preview: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an act went. ``faults`` is empty when everything held that the act promises.

    ``same_for_clients`` tells whether load balancers and DNS records are still those of the first act, ``began`` the
    epoch second in which it began. ``seen`` is what clients saw after the move, when the split is ``weights``, and
    ``moving`` while it went on.
    """

    title: str
    run: Run
    faults: tuple[str, ...]
    same_for_clients: bool
    weights: Mapping[str, int]
    began: float
    moving: Tally
    seen: Tally

    @property
    def failures(self) -> int:
        """Requests that failed in the act, those of a killed cluster too."""
        return len(self.moving.failures) + len(self.seen.failures)


class Rehearsal:
    """A migration from the oldest to the newest cluster of a stack file, under ``rate`` requests a second.

    ``hold`` is how many seconds each act is looked at after its move. The sandbox must have a world.
    """

    def __init__(self, sandbox: Sandbox, stack: str, *, rate: float = 200.0, hold: float = 4.0) -> None:
        self._sandbox = sandbox
        self._name = stack
        self._hold = hold
        self._stack = sandbox.stack(stack)
        self._config, self.otherwise = prepare(sandbox, stack)
        self._old = min(self._config["eks-cutover:clusters"], key=version_of)
        self._rate = rate
        self._names = Names(sandbox.store, sandbox.aws("route53"))
        self._to = destinations(self._config)
        self._load = Load(self._names, self._to, rate=rate)

    @property
    def answers(self) -> list[Answer]:
        """Everything that clients saw."""
        return self._load.answers

    def play(self, but: Collection[str] = ()) -> Iterator[Outcome]:
        """Play the acts, ``but`` for those with these titles, and yield how each went.

        Ends after the first act with faults: what would follow would rest on them.
        """
        first, *others = (act for act in acts(self._config) if act.title not in but)
        yield (outcome := self._play(first, start := {}))
        if outcome.faults:
            return
        start |= shared_objects(self._sandbox)
        try:
            self._await_the_first()
        except TimeoutError as late:
            yield replace(outcome, title="the first answers", faults=(str(late),))
            return
        self._remember()
        kills: list[tuple[str, float]] = []
        with self._load:
            for act in others:
                yield (outcome := self._play(act, start))
                if outcome.faults:
                    return
                kills.append((act.dying, outcome.began))
        following = zip(others, [*kills[1:], _NO_KILL], strict=True)
        if late := [fault for act, kill in following for fault in self._losses(act, *self._seen(act), kill)]:
            yield replace(outcome, title="answers that came last", faults=tuple(late))

    def _await_the_first(self) -> None:
        """Wait until the first cluster has its targets and answers every kind of client.

        :raises TimeoutError: it does not. The text says what is wrong
        """
        _until_healthy(self._sandbox, self._config, self._old, _many(self._config))
        failed: list[Answer] = []

        def answer() -> bool:
            failed[:] = [one for one in (ask(self._names, to) for to in self._to) if one.failed]
            return not failed

        _until(f"{self._old} answers", answer, lambda: "; ".join(one.told for one in failed))

    def _remember(self) -> None:
        """Let CloudWatch know what the old cluster carried by day: it is a quiet hour now."""
        routes = [to.route for to in self._to]

        def rates(route: str) -> list[float]:
            rate = self._rate * routes.count(route) / len(routes)
            return [rate] * _QUIET_BUCKETS + [_DAY * rate] * _BUSY_BUCKETS

        _tell_the_past(self._sandbox, self._old, _many(self._config), rates)

    def _play(self, act: Act, start: Mapping[str, str]) -> Outcome:
        began = time.time()
        self._load.enter(act.title + _MOVING)
        try:
            act.before(self._sandbox)
        except TimeoutError as late:
            return self._stopped(act, began, str(late))
        stackfile.edit(self._sandbox.project, self._name, act.edit)
        run = watch(self._stack.up)
        time.sleep(PROPAGATION_SECONDS)
        self._load.enter(act.title)
        if start:  # clients ask
            self._rest(act)
        moving, held = self._seen(act)
        faults = [*self._plan_faults(act, run), *self._losses(act, moving, held), *self._preview_faults(act)]
        if start:  # clients ask
            faults += self._share_faults(act, held)
        same = not start or shared_objects(self._sandbox) == start
        if not same:
            faults.append("load balancers or DNS records are not those of the start")
        return Outcome(
            title=act.title,
            run=run,
            faults=tuple(faults),
            same_for_clients=same,
            weights=act.weights,
            began=began,
            moving=moving,
            seen=held,
        )

    def _rest(self, act: Act) -> None:
        """Let the weights rest, on a slow machine until every route has answered at least once."""
        time.sleep(self._hold)
        routes = {to.route for to in self._to}
        with suppress(TimeoutError):  # which routes answered nobody is judged with the rest
            _until("every route answers", lambda: routes <= self._seen(act)[1].shares.keys(), str)

    def _stopped(self, act: Act, began: float, why: str) -> Outcome:
        """Return how an act went that could not begin."""
        moving, held = self._seen(act)
        return Outcome(
            title=act.title,
            run=Run((), (), 0.0, why),
            faults=(why,),
            same_for_clients=True,
            weights=act.weights,
            began=began,
            moving=moving,
            seen=held,
        )

    def _plan_faults(self, act: Act, run: Run) -> list[str]:
        if act.refused:
            return (
                [] if act.refused in run.failure else [f"the gate did not say: {act.refused}. It said: {run.failure}"]
            )
        return [run.failure] if run.failure else act.faults(run)

    def _seen(self, act: Act) -> tuple[Tally, Tally]:
        """Return what clients have seen of an act so far: while it moved, and after that."""
        seen = by_step(self._load.answers)
        return seen.get(act.title + _MOVING, tally(())), seen.get(act.title, tally(()))

    def _losses(self, act: Act, moving: Tally, held: Tally, kill: tuple[str, float] = _NO_KILL) -> list[str]:
        """Return what was lost. A killed cluster excuses what went to its own groups, while it has a weight.

        ``kill`` names the cluster that is killed after the act, and when (epoch): what it was answering then is its.
        """
        excusable, lost = list(moving.failures), list(held.failures)
        if act.weights.get(act.dying):
            excusable, lost = [*excusable, *lost], []
        lost += [failure for failure in excusable if not act.dying or act.dying not in failure.cluster + failure.group]
        lost = [failure for failure in lost if not died_with(failure, *kill)]
        return [f"{len(lost)} requests were lost in {act.title}, the first {lost[0].told}"] if lost else []

    def _share_faults(self, act: Act, held: Tally) -> list[str]:
        """Return the routes that answered nobody, and those whose split is not that of the weights."""
        if act.weights.get(act.dying):
            return []
        found = [f"{to.route}: nobody was answered" for to in self._to if to.route not in held.shares]
        for route, observed in held.shares.items():
            found += [f"{route}: {fault}" for fault in split_faults(observed, act.weights)]
        return found

    def _preview_faults(self, act: Act) -> list[str]:
        if not act.preview:
            return []
        preview = self._config.get("eks-cutover:preview", {})
        name, secret = preview.get("header", "X-Cutover-Cluster"), preview.get("secret")
        value = f"{act.preview}.{secret}" if secret else act.preview
        asked = [replace(to, headers={name: value}) for to in self._to]
        answers = [ask(self._names, to) for to in asked]
        return [
            f"the preview header did not reach {act.preview}: it was {a.told}"
            for a in answers
            if a.cluster != act.preview
        ]


def acts(config: Config) -> list[Act]:
    """Return the acts that lead from the oldest to the newest cluster of a stack file."""
    clusters = config["eks-cutover:clusters"]
    old, *_, new = sorted(clusters, key=version_of)
    shifts = _shifts_only(config)

    def shift(share: int, title: str = "", **more: Any) -> Act:
        weights = {old: 100 - share, new: share}
        made = Act(title=title or f"{new} at {share}", weights=weights, edit=_weights(weights), faults=shifts)
        return replace(made, **more)

    def refused(live: int, share: int, title: str, *, healthy: int, **more: Any) -> Act:
        """Ask for a share that the gate must refuse, which leaves what is live."""
        weights, words = {old: 100 - live, new: live}, f"{new} has {healthy} healthy targets"
        return replace(shift(share, title), weights=weights, refused=words, **more)

    def back(share: int, title: str = "", **more: Any) -> Act:
        return shift(0, title or f"back from {share}", **more)

    least, most = _few(config), _many(config)

    def grow(which: Iterable[str], pods: int, **behaviour: Any) -> Callable[[Sandbox], None]:
        return _grow(config, which, pods, **behaviour)

    few, many = (grow((old, new), pods) for pods in (least, most))
    recovers = _both(many, _serves_for_an_hour(new, most))
    dies = grow((new,), 0, replicas=most, alive=False)
    return [
        Act(
            title=f"{old} alone",
            weights={old: 100},
            edit=_only(old, {old: 100}),
            before=_behave(config, old, replicas=most),
        ),
        Act(
            title=f"{new} beside it at 0",
            weights={old: 100, new: 0},
            edit=_restore(new, clusters[new], {old: 100, new: 0}),
            faults=_adds_only(old),
            before=_behave(config, new, alive=False),
        ),
        refused(0, 1, "an early raise", healthy=0),
        shift(0, f"{new} by the preview header", before=grow((new,), least), preview=new, faults=_nothing),
        refused(0, 100, "everything in a quiet hour", healthy=least),
        shift(1, before=grow((new,), most)),
        back(1),
        shift(1, f"{new} at 1 again"),
        refused(1, 100, f"{new} dies at 1 and is asked for everything", healthy=0, before=dies, dying=new),
        back(1, dying=new, title="back from the dead 1"),
        shift(10, before=recovers),
        back(10),
        shift(50),
        back(50),
        shift(50, f"{new} at 50 again"),
        shift(50, f"{new} dies at 50", before=dies, dying=new, faults=_nothing),
        shift(0, "the weights go back", dying=new),
        shift(50, f"{new} at 50 at last", before=recovers),
        shift(0, "back at night, both small", before=few),
        shift(100, before=many),
        back(100),
        shift(100, f"{new} at 100 again"),
        *_unprotected(old, new, clusters),
        Act(title=f"{old} retired", weights={new: 100}, edit=_only(new, {new: 100}), faults=_spares(new)),
    ]


def _unprotected(old: str, new: str, clusters: Config) -> list[Act]:
    if not clusters[old].get("deletionProtection", False):
        return []
    weights = {old: 0, new: 100}
    title = f"{old} unprotected in AWS"
    return [Act(title=title, weights=weights, edit=_unprotect(old), faults=_touches_only(old))]


def _few(config: Config) -> int:
    """Return how many pods a cluster has where it is small, which is as many as any share needs."""
    return max(_FEW, config.get("eks-cutover:gate", {}).get("minHealthy", _FEW))


def _many(config: Config) -> int:
    return _MANY * _few(config)


def _behave(config: Config, cluster: str, **behaviour: Any) -> Callable[[Sandbox], None]:
    def before(sandbox: Sandbox) -> None:
        for route in config["eks-cutover:routes"]:
            sandbox.store.put(WORKLOAD, f"{cluster}|{route}", {"replicas": _few(config), **behaviour})

    return before


def _grow(config: Config, clusters: Iterable[str], pods: int, **behaviour: Any) -> Callable[[Sandbox], None]:
    """Let clusters have so many healthy targets for every route, and wait until they have."""

    def before(sandbox: Sandbox) -> None:
        for cluster in clusters:
            _behave(config, cluster, **{"replicas": pods, **behaviour})(sandbox)
        for cluster in clusters:
            _until_healthy(sandbox, config, cluster, pods)

    return before


def _both(*several: Callable[[Sandbox], None]) -> Callable[[Sandbox], None]:
    def before(sandbox: Sandbox) -> None:
        for one in several:
            one(sandbox)

    return before


def _serves_for_an_hour(cluster: str, pods: int) -> Callable[[Sandbox], None]:
    """Let CloudWatch know that a cluster has served well since it came back.

    Else it depends on the minute in which a rehearsal began whether the gate still takes it for one that fails.
    """
    return lambda sandbox: _tell_the_past(sandbox, cluster, pods, lambda _: [1.0] * _HOUR_BUCKETS)


def _tell_the_past(sandbox: Sandbox, cluster: str, pods: int, rates: Callable[[str], list[float]]) -> None:
    """Tell CloudWatch of requests that a cluster had: ``rates`` a second by route, per five minutes, newest first."""
    now, data = datetime.now(UTC), list[dict[str, Any]]()
    for group in sandbox.aws("elbv2").describe_target_groups()["TargetGroups"]:
        route, its, _ = group["TargetGroupName"].partition(f"-{cluster}")
        had = rates(route) if its else []
        for balancer in group["LoadBalancerArns"] if any(had) else ():
            data += past(balancer, group["TargetGroupArn"], pods, had, now)
    for first in range(0, len(data), POINTS_PER_CALL):
        sandbox.aws("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data[first : first + POINTS_PER_CALL])


def _until_healthy(sandbox: Sandbox, config: Config, cluster: str, pods: int) -> None:
    """Wait until every target group of a cluster has so many healthy targets; a node without a pod is none.

    :raises TimeoutError: one has not. The text says what its targets are
    """
    targets, elb = Targets(sandbox.store), sandbox.aws("elbv2")
    other: dict[str, Counter[str]] = {}

    def healthy() -> bool:
        groups = elb.describe_target_groups()["TargetGroups"]
        states = {
            group["TargetGroupName"]: Counter(target.state for target in targets.of(group["TargetGroupArn"]))
            for group in groups
            if cluster in group["TargetGroupName"]
        }
        other.clear()
        other.update({name: found for name, found in states.items() if found["healthy"] != pods})
        return not other

    def told() -> str:
        listed = (f"{name} has {_counted(states) or 'none'}" for name, states in sorted(other.items()))
        return "; ".join(listed)

    _until(f"{cluster} has {pods} healthy targets everywhere", healthy, told, _checks_seconds(config))


def _counted(states: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def _checks_seconds(config: Config) -> float:
    """Return how long the slowest health check takes to find a target well or dead, and then some."""
    checks = [route["healthCheck"] for route in config["eks-cutover:routes"].values()]
    thresholds = ("healthyThreshold", "unhealthyThreshold")
    slowest = (
        check.get("interval", _INTERVAL) * max(check.get(key, _THRESHOLD) for key in thresholds) for check in checks
    )
    return 2 * max(slowest) / DEFAULT_SPEED


def _until(what: str, holds: Callable[[], bool], told: Callable[[], str], more_seconds: float = 0.0) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS + more_seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"it took too long until {what}: {told()}")
        time.sleep(0.5)


def died_with(failure: Answer, cluster: str, second: float) -> bool:
    """Tell whether a cluster that was killed at an epoch second was answering a request that failed."""
    return bool(cluster) and cluster in failure.cluster + failure.group and failure.time + failure.seconds >= second


def _nothing(run: Run) -> list[str]:
    return [f"nothing was to be touched: {step}" for step in run.steps]


def shared_objects(sandbox: Sandbox) -> dict[str, str]:
    """Return what clients know of the stack, by name: load balancer ARNs, and where each DNS name points."""
    balancers = sandbox.aws("elbv2").describe_load_balancers()["LoadBalancers"]
    found: dict[str, str] = {balancer["LoadBalancerName"]: balancer["LoadBalancerArn"] for balancer in balancers}
    route53 = sandbox.aws("route53")
    for zone in route53.list_hosted_zones()["HostedZones"]:
        for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            if "AliasTarget" in record:
                found[record["Name"]] = record["AliasTarget"]["DNSName"]
    return found


def _only(key: str, weights: dict[str, int]) -> Callable[[Config], None]:
    def edit(config: Config) -> None:
        config["eks-cutover:clusters"] = {key: config["eks-cutover:clusters"][key]}
        config["eks-cutover:weights"] = weights

    return edit


def _restore(key: str, cluster: Config, weights: dict[str, int]) -> Callable[[Config], None]:
    def edit(config: Config) -> None:
        config["eks-cutover:clusters"][key] = cluster
        config["eks-cutover:weights"] = weights

    return edit


def _weights(weights: dict[str, int]) -> Callable[[Config], None]:
    return lambda config: config.update({"eks-cutover:weights": weights})


def _unprotect(key: str) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:clusters"][key].update(deletionProtection=False)


def _shifts_only(config: Config) -> Callable[[Run], list[str]]:
    live = [name for name, route in config["eks-cutover:routes"].items() if route.get("live", True)]

    def faults(run: Run) -> list[str]:
        wrong = [step for step in run.steps if not weights_alone(step)]
        found = [f"a shift touched more than weights: {step}" for step in wrong]
        if len(run.steps) != len(live):
            found.append(f"a shift took {len(run.steps)} steps for {len(live)} routes")
        return found

    return faults


def _adds_only(old: str) -> Callable[[Run], list[str]]:
    return lambda run: [
        f"adding a cluster touched what was there: {step}"
        for step in run.steps
        if (step.op != "create" and not (step.op == "update" and step.type == LISTENER_RULE)) or old in step.name
    ]


def _touches_only(key: str) -> Callable[[Run], list[str]]:
    return lambda run: [f"it touched another cluster: {step}" for step in run.steps if key not in step.name]


def _spares(new: str) -> Callable[[Run], list[str]]:
    return lambda run: [
        f"a retirement touched what stays: {step}"
        for step in run.steps
        if new in step.name or not (step.op == "delete" or (step.op == "update" and step.type == LISTENER_RULE))
    ]
