"""The acts of a migration: what each edits, what it does to the world before, and what its plan may touch.

Owns the way from the oldest to the newest cluster of a stack file, with its raises, its rollbacks and its deaths.
Refuses to play (migration.py) and to judge what clients saw (outcome.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cutover.rules.judgement import touched, weights_alone
from cutover.rules.run import Run
from rehearsal.play import elsewhere, stackfile
from rehearsal.play.brownfield import WHO
from rehearsal.play.elsewhere import by_gitops
from rehearsal.play.history import tell_the_past
from rehearsal.play.waiting import until_healthy
from rehearsal.world.workloads import WORKLOAD
from settings.imports import LISTENER_RULE
from settings.values import order_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rehearsal.engine.sandbox import Sandbox
    from rehearsal.play.brownfield import Brownfield
    from rehearsal.play.stackfile import Config

_FEW = 2  # pods of a cluster where it is small: as the new one begins, or as autoscalers leave it in the night
_MANY = 2  # times as many it has by day, on as many nodes
_HOUR_BUCKETS = 12  # five minutes each


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


def acts(config: Config, stack: str) -> list[Act]:
    """Return the acts that lead from the oldest to the newest cluster of a stack file."""
    clusters = config["eks-cutover:clusters"]
    old, *_, new = sorted(clusters, key=order_of)
    shift = _shifts(config, old, new)

    def refused(live: int, share: int, title: str, *, healthy: int, **more: Any) -> Act:
        """Ask for a share that the gate must refuse, which leaves what is live."""
        weights, words = {old: 100 - live, new: live}, f"{new} has {healthy} healthy targets"
        return replace(shift(share, title), weights=weights, refused=words, **more)

    def back(share: int, title: str = "", **more: Any) -> Act:
        return shift(0, title or f"back from {share}", **more)

    least, most = few_pods(config), many_pods(config)

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
        *_behind_a_gateway(config, stack, old, new),
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


def acts_beside_others(config: Config, there: Brownfield, stack: str) -> list[Act]:
    """Return the acts that lead from what others' rules answer to the stack, from cluster to cluster, and back.

    ``there`` is what stood before.
    """
    old, *_, new = sorted(config["eks-cutover:clusters"], key=order_of)
    shift, many = _shifts(config, old, new), many_pods(config)
    theirs = {WHO: 100}

    def apply(_: Sandbox) -> None:
        for key in by_gitops(config):
            elsewhere.apply(there.sandbox, stack, key)

    def asked(key: str) -> Callable[[Sandbox], None]:
        return _ask(stack, key) if _probed(config) else lambda _: None

    def leave(_: Sandbox) -> None:
        if old in by_gitops(config):
            elsewhere.withdraw(there.sandbox, config, old)

    grown = _both(apply, _grow(config, (old, new), many))
    return [
        Act(
            title="the stack beside what answers",
            weights=theirs,
            edit=live(on=False),
            faults=_makes_no_more_than_its_own,
            before=_both(_behave(config, old, alive=False), _behave(config, new)),
        ),
        Act(
            title="live before anybody is healthy",
            weights=theirs,
            edit=live(on=True),
            refused=f"{old} has 0 healthy targets",
        ),
        Act(
            title=f"{new} by the preview header",
            weights=theirs,
            edit=live(on=False),
            faults=_nothing,
            before=grown,
            preview=new,
        ),
        Act(
            title="live",
            weights={old: 100},
            edit=live(on=True),
            faults=_weighted_rules_alone("create"),
            before=asked(old),
        ),
        # Of a route that has just begun nobody knows what a target can carry: one was enough, in each, for an hour.
        shift(1, before=_both(_serves_for_an_hour(old, 1), _serves_for_an_hour(new, 1), asked(new))),
        shift(0, "back from 1"),
        shift(50),
        shift(100),
        shift(0, "back from 100"),
        shift(100, f"{new} at 100 again"),
        *_unprotected(old, new, config["eks-cutover:clusters"]),
        Act(
            title=f"{old} let go",
            weights={new: 100},
            edit=_only(new, {new: 100}),
            faults=_spares(new),
            before=leave,
        ),
        Act(title="given back", weights=theirs, edit=live(on=False), faults=_weighted_rules_alone("delete")),
    ]


def _behind_a_gateway(config: Config, stack: str, old: str, new: str) -> list[Act]:
    """Return the acts in which a gateway is healthy that knows nothing behind it, and then does: of probes alone."""
    if not _probed(config):
        return []
    shift, least = _shifts(config, old, new), few_pods(config)
    gateway = shift(
        1,
        f"{new} answers 404 for everything, and is healthy",
        weights={old: 100, new: 0},
        before=_both(_grow(config, (new,), least, status=404), _ask(stack, new)),
        refused="is answered with 404 in place of",
    )
    mended = shift(
        0, f"{new} answers", faults=_nothing, before=_both(_grow(config, (new,), least), _ask(stack, new)), preview=new
    )
    return [gateway, mended]


def _probed(config: Config) -> bool:
    return any(route.get("probes") for route in stackfile.routes(config).values())


def _ask(stack: str, key: str) -> Callable[[Sandbox], None]:
    """Let somebody look at a cluster, who asks its probes and writes down what they saw."""

    def before(sandbox: Sandbox) -> None:
        sandbox.cutover("status", key, "-s", stack)

    return before


def _shifts(config: Config, old: str, new: str) -> Callable[..., Act]:
    """Return what makes the act that gives ``new`` a share, with a title and more of its own."""
    faults = _shifts_only(config)

    def shift(share: int, title: str = "", **more: Any) -> Act:
        weights = {old: 100 - share, new: share}
        made = Act(title=title or f"{new} at {share}", weights=weights, edit=_weights(weights), faults=faults)
        return replace(made, **more)

    return shift


def live(*, on: bool) -> Callable[[Config], None]:
    """Return the edit that lets all routes be live, or not."""

    def edit(config: Config) -> None:
        for route in stackfile.routes(config).values():
            route["live"] = on

    return edit


def _makes_no_more_than_its_own(run: Run) -> list[str]:
    """Say what a first update touched that is others' to make, or that answers somebody."""
    theirs = ("aws:lb/loadBalancer:", "aws:lb/listener:", "aws:route53/", "aws:acm/")
    return [
        f"the first update touched more than its own: {step}"
        for step in touched(run)
        if step.op != "create" or step.type.startswith(theirs) or step.name.endswith("-weighted")
    ]


def _weighted_rules_alone(op: str) -> Callable[[Run], list[str]]:
    return lambda run: [
        f"more than weighted rules was touched: {step}"
        for step in touched(run)
        if (step.op, step.type) != (op, LISTENER_RULE) or not step.name.endswith("-weighted")
    ]


def _unprotected(old: str, new: str, clusters: Config) -> list[Act]:
    if not clusters[old].get("deletionProtection", False):
        return []
    weights = {old: 0, new: 100}
    title = f"{old} unprotected in AWS"
    return [Act(title=title, weights=weights, edit=_unprotect(old), faults=_touches_only(old))]


def few_pods(config: Config) -> int:
    """Return how many pods a cluster has where it is small, which is as many as any share needs."""
    return max(_FEW, config.get("eks-cutover:gate", {}).get("minHealthy", _FEW))


def many_pods(config: Config) -> int:
    """Return how many pods a cluster has by day."""
    return _MANY * few_pods(config)


def _behave(config: Config, cluster: str, **behaviour: Any) -> Callable[[Sandbox], None]:
    def before(sandbox: Sandbox) -> None:
        for route in stackfile.routes(config):
            sandbox.store.put(WORKLOAD, f"{cluster}|{route}", {"replicas": few_pods(config), **behaviour})

    return before


def _grow(config: Config, clusters: Iterable[str], pods: int, **behaviour: Any) -> Callable[[Sandbox], None]:
    """Let clusters have so many healthy targets for every route, and wait until they have."""

    def before(sandbox: Sandbox) -> None:
        for cluster in clusters:
            _behave(config, cluster, **{"replicas": pods, **behaviour})(sandbox)
        for cluster in clusters:
            until_healthy(sandbox, config, cluster, pods)

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
    return lambda sandbox: tell_the_past(sandbox, cluster, pods, lambda _: [1.0] * _HOUR_BUCKETS)


def _nothing(run: Run) -> list[str]:
    return [f"nothing was to be touched: {step}" for step in touched(run)]


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
    live = [name for name, route in stackfile.routes(config).items() if route.get("live", True)]

    def faults(run: Run) -> list[str]:
        wrong = [step for step in touched(run) if not weights_alone(step)]
        found = [f"a shift touched more than weights: {step}" for step in wrong]
        if len(touched(run)) != len(live):
            found.append(f"a shift took {len(touched(run))} steps for {len(live)} routes")
        return found

    return faults


def _adds_only(old: str) -> Callable[[Run], list[str]]:
    return lambda run: [
        f"adding a cluster touched what was there: {step}"
        for step in touched(run)
        if (step.op != "create" and not (step.op == "update" and step.type == LISTENER_RULE)) or old in step.name
    ]


def _touches_only(key: str) -> Callable[[Run], list[str]]:
    return lambda run: [f"it touched another cluster: {step}" for step in touched(run) if key not in step.name]


def _spares(new: str) -> Callable[[Run], list[str]]:
    return lambda run: [
        f"a retirement touched what stays: {step}"
        for step in touched(run)
        if new in step.name or not (step.op == "delete" or (step.op == "update" and step.type == LISTENER_RULE))
    ]
