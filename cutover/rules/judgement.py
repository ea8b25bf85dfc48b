"""The judgement of plans: which kind of change a plan is, and what it may not contain. Pure.

What is feared is a plan that touches more than it said. Owns the rules and the words of a violation. Refuses to own
where the events come from (run.py), which clusters serve (live.py) and how a judgement is shown (commands/guard.py).

Whose a resource is stands in its URN: the component that made it (components/), and the name that the component gave
it. There is no override: what is refused here is applied by hand, by somebody who watches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from cutover.rules.gate import shares
from cutover.rules.run import UNKNOWN
from settings.imports import INGRESS_RULE, LISTENER_RULE, TARGET_GROUP
from settings.nodes import NODE_GROUP
from settings.values import order_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cutover.rules.run import Run, Step, Weights

_VERSIONED = r"v\d+-\d+(?:-[b-d])?"
_COMPONENT = re.compile(r"(?:^|\$)eks-cutover:(\w+):")
_SHARED = {"network": "network", "load_balancer": "load balancer", "service_discovery": "Cloud Map namespace"}
_OF_A_ROUTE = ("route", "binding")
_ANSWER = "answer"
_NOTHING_IN_AWS = ("eks-cutover:", "eks:index:")  # components, whose parts are steps of their own
_WEIGHT = re.compile(r"actions\[\d+\]\.forward\.targetGroups\[\d+\]\.weight")
_GROUPS = re.compile(r"actions\[\d+\]\.forward\.targetGroups(\[\d+\](\.(arn|weight))?)?")
_BESIDE_REQUESTS = (  # what of a cluster may go while it serves
    *("aws:eks/accessEntry:AccessEntry", "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"),
    "aws:cloudwatch/logGroup:LogGroup",  # which goes from the state alone
)
_READING = frozenset({"read", "refresh", "discard"})
_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
_CLUSTER = "aws:eks/cluster:Cluster"
_EXISTING = "eks-cutover:existing_cluster:ExistingCluster"
_BY_HAND = "If it must be, apply it alone with `pulumi up`, and watch `cutover status` meanwhile"


class Kind(StrEnum):
    """What a plan is for.

    A shift moves weights and does nothing else. A build makes things or changes them in place, a retirement takes
    things away, and neither moves a request. What changes nothing in AWS, but what the state protects, is protection.
    Everything else is mixed.
    """

    NOTHING = "nothing"
    PROTECTION = "protection"
    SHIFT = "shift"
    BUILD = "build"
    RETIRE = "retire"
    MIXED = "mixed"


class Rule(StrEnum):
    """What no plan may break, the gravest first."""

    SERVING = "what serves is neither replaced nor deleted"
    LIVE_RULE = "a live route's weighted rule changes in its target groups alone"
    SHARED = "the shared layer stays as it is"
    PROTECT = "what serves stays protected"
    KNOWN = "what changes in a rule is known beforehand"
    ALONE = "weights move alone"
    APART = "a cluster is taken away by a change of its own"


@dataclass(frozen=True)
class Violation:
    """A step that a plan may not contain: the rule that it breaks, what would happen, and what to do instead."""

    step: Step
    rule: Rule
    consequence: str
    cure: str

    def __str__(self) -> str:
        return f"{self.step.op} {self.step.name}: {self.rule}. {self.consequence}. {self.cure}."


def kind(run: Run, beside: Collection[str] = ()) -> Kind:
    """Tell what a plan is for. Of a preview that failed, it tells it of the steps that were planned until then.

    ``beside`` are routes on listeners of others, whose rules answer where the route's own does not.
    """
    steps = touched(run)
    if not steps:
        return Kind.PROTECTION if any(not _is_component(step) for step in run.kept) else Kind.NOTHING
    taking = passing(run, beside)
    if all(weights_alone(step) or step in taking for step in steps):
        return Kind.SHIFT
    ops = {step.op for step in steps}
    # A retirement takes the cluster's target groups out of the weighted rules.
    others = {step.op for step in steps if not (step.op == "update" and groups_alone(step))}
    if "replace" in ops or moved(run) or taking:
        return Kind.MIXED
    if "delete" not in ops:
        return Kind.BUILD
    return Kind.RETIRE if others == {"delete"} else Kind.MIXED


def violations(
    run: Run, serving: Collection[str], routes: Collection[str] | None = None, beside: Collection[str] = ()
) -> list[Violation]:
    """Return what a plan may not do while the clusters ``serving`` serve, the gravest first.

    ``routes`` are those that have a weighted rule in AWS; left out, every route counts as live. ``beside`` are those on
    listeners of others, to whose rules the gate lets them give back. All are what AWS says now, never what the state or
    the stack file says.
    """
    judge = _Judge(run, serving, routes, beside)
    steps = touched(run)
    found = [violation for step in steps for violation in judge.step(step)]
    found += [violation for step in unprotected(run) for violation in judge.unprotected(step)]
    found += judge.alone(steps)
    found += judge.apart(steps)
    return sorted(found, key=lambda violation: (list(Rule).index(violation.rule), violation.step.name))


def touched(run: Run) -> list[Step]:
    """Return one step for each resource that a plan touches, components left out; a replacement is one `replace`.

    What is read, or read no more, is touched by neither.
    """
    found: dict[str, Step] = {}
    for step in run.steps:
        seen = step.urn in found and step.op != "replace"  # which alone of its three steps has all paths
        if not seen and step.op not in _READING and not _is_component(step):
            found[step.urn] = replace(step, op="replace") if "replac" in step.op else step
    return list(found.values())


def unprotected(run: Run) -> list[Step]:
    """Return the resources whose protection a plan lifts, under the op `unprotect`; components are left out."""
    lifted = (step for step in (*run.kept, *touched(run)) if step.lifted)
    return [replace(step, op="unprotect") for step in lifted if not _is_component(step)]


def leaving(run: Run) -> list[str]:
    """Return the clusters that a plan takes away, in the order of their names."""
    gone = (step for step in touched(run) if (step.op, step.type) == ("delete", _CLUSTER))
    let_go = {step.name for step in run.steps if (step.op, step.type) == ("delete", _EXISTING)}
    return sorted({cluster for step in gone if (cluster := cluster_of(step))} | let_go)


def drops_a_mesh(step: Step) -> bool:
    """Tell whether a step does no more than let a Kubernetes provider drop objects it cannot reach, or not any more.

    PULUMI_K8S_DELETE_UNREACHABLE is written into the providers of all clusters by the run that has it (ADR 5).
    """
    return step.type == "pulumi:providers:kubernetes" and step.op == "update"


def weights(run: Run) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    """Return the weights of the clusters by route, in the state and after the run."""
    steps = touched(run)
    found: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
    for rule, (before, after) in run.forwards.items():
        route = rule.removesuffix("-weighted")
        groups = (step for step in steps if step.type == TARGET_GROUP and route_of(step) == route)
        made = [cluster for step in groups if step.op in {"create", "replace"} and (cluster := cluster_of(step))]
        found[route] = _by_cluster(before, (), run.keys), _by_cluster(after, made, run.keys)
    return found


def moved(run: Run) -> list[str]:
    """Return the routes whose requests a plan moves: the shares of a rule that was, and stays, differ.

    Where the state does not tell what they were, any weight that differs moves them.
    """
    unread = {
        route_of(step) for step in touched(run) if step.name in run.sealed and any(map(_WEIGHT.match, step.paths))
    }
    return [
        route
        for route, (old, new) in weights(run).items()
        if route in unread or (old and new and shares(old) != shares(new))
    ]


def passing(run: Run, beside: Collection[str]) -> list[Step]:
    """Return the steps that take requests from rules of others, or give them back: a weighted rule comes, or goes."""
    rules = [step for step in touched(run) if step.type == LISTENER_RULE and step.name.endswith("-weighted")]
    return [step for step in rules if step.op in {"create", "delete"} and route_of(step) in beside]


def weights_alone(step: Step) -> bool:
    """Tell whether a step is an update of a weighted rule that changes weights and nothing else."""
    return _only(step, _WEIGHT)


def groups_alone(step: Step) -> bool:
    """Tell whether a step is an update of a weighted rule that adds or removes target groups, or changes weights."""
    return _only(step, _GROUPS)


def cluster_of(step: Step) -> str | None:
    """Return the cluster that a resource belongs to."""
    key = _key(step.keys)
    pattern = rf".*?-({key})(?:-preview)?$" if _component(step) in _OF_A_ROUTE else rf"({key})(?=-|$)"
    match = re.match(pattern, step.name) if _component(step) not in {*_SHARED, _ANSWER} else None
    return match[1] if match else None


def route_of(step: Step) -> str | None:
    """Return the route that a resource belongs to."""
    if _component(step) not in _OF_A_ROUTE:
        return None
    return re.sub(rf"-(?:weighted|{_key(step.keys)}(?:-preview)?)$", "", step.name)


def shared(step: Step) -> str | None:
    """Return the part of the shared layer that a resource belongs to."""
    return _SHARED.get(_component(step))


class _Judge:
    def __init__(
        self, run: Run, serving: Collection[str], routes: Collection[str] | None, beside: Collection[str]
    ) -> None:
        self._run, self._serving, self._routes = run, serving, routes
        self._weights, self._passing = weights(run), passing(run, beside)

    def step(self, step: Step) -> Iterator[Violation]:
        """Judge what is done to one resource."""
        cluster, route, part = cluster_of(step), route_of(step), shared(step)
        if step.type == LISTENER_RULE and step.op == "update" and not step.paths:
            yield Violation(
                step,
                Rule.KNOWN,
                "The provider does not say what would change, so it can be anything",
                "Read `pulumi preview --diff`. If that is right, apply it alone with `pulumi up`",
            )
        elif part and step.op in {"update", "replace", "delete"}:
            yield Violation(
                step,
                Rule.SHARED,
                f"Every cluster stands on the {part}: moving weights does not take a mistake in it back",
                f"Take it out of this change. {_BY_HAND}",
            )
        elif step in self._passing:
            return
        elif _weighted(step) and self._live(route) and (step.op in {"replace", "delete"} or not groups_alone(step)):
            yield from self._rule(step, route)
        elif step.op in {"replace", "delete"} and cluster in self._serving and self._carries(step, route):
            yield Violation(
                step,
                Rule.SERVING,
                f"{cluster} serves, and its requests could fail",
                f"Move them away first, with a shift of {cluster} to 0; to take the cluster away, retire it",
            )

    def unprotected(self, step: Step) -> Iterator[Violation]:
        """Judge that a resource is no longer protected, which is right where its weight goes to 0 with it."""
        cluster, route = cluster_of(step), route_of(step)
        if self._empty(step):
            return
        if shared(step) or _weighted(step):
            what, serves = step.name, any(after for name, (_, after) in self._weights.items() if route in {None, name})
        else:
            what, serves = str(cluster), cluster in self._serving and self._stays(str(cluster), route)
        if serves:
            yield Violation(
                step,
                Rule.PROTECT,
                f"{what} serves, and nothing would stop the next change from deleting it",
                "Leave `protect` alone: it follows the weight, and is lifted when that is 0",
            )

    def alone(self, steps: list[Step]) -> Iterator[Violation]:
        """Judge what goes together with a move of weights."""
        others = [step for step in steps if not (_weighted(step) and step.op == "update") and step not in self._passing]
        if others and (moved(self._run) or self._passing):
            yield Violation(
                others[0],
                Rule.ALONE,
                f"Requests move while {_some(others)} would change: should errors rise, nobody could tell from "
                "which, and the weights alone would not take it back",
                "Apply the rest first, and move the weights in a change of their own",
            )

    def apart(self, steps: list[Step]) -> Iterator[Violation]:
        """Judge what goes together with the end of a cluster."""
        gone = " and ".join(leaving(self._run))
        others = [
            step
            for step in steps
            if step.op != "delete" and not drops_a_mesh(step) and not (step.op == "update" and groups_alone(step))
        ]
        if gone and others:
            yield Violation(
                others[0],
                Rule.APART,
                f"{gone} would go while {_some(others)} would change: deletions come last, and where anything "
                "before them fails, half of both is done",
                f"Split it: apply the rest first, and take {gone} away in a change of its own",
            )

    def _rule(self, step: Step, route: str | None) -> Iterator[Violation]:
        if step.op == "update":
            said = "More could change than where it sends requests, on all clusters at once, and no gate judges that"
            yield Violation(step, Rule.LIVE_RULE, said, f"Take it out of this change. {_BY_HAND}")
        else:
            said = f"{route} is live, and its requests would be answered with 404"
            yield Violation(step, Rule.LIVE_RULE, said, f"Leave the route as it is. {_BY_HAND}")

    def _live(self, route: str | None) -> bool:
        return self._routes is None or route in self._routes

    def _carries(self, step: Step, route: str | None) -> bool:
        """Tell whether requests go through a resource of a cluster that serves."""
        if route is not None:
            return self._live(route)
        if step.type == INGRESS_RULE:
            return step.protected  # ports through which nothing goes are not
        kept = _component(step) == "namespaces" and step.op == "delete"  # dropped from the state alone
        return not kept and step.type not in _BESIDE_REQUESTS and not self._empty(step)

    def _empty(self, step: Step) -> bool:
        """Tell whether a step is of a node group that has, or is to have, no node."""
        groups = {one.name for one in (*self._run.steps, *self._run.kept) if one.emptied}
        return step.type in (NODE_GROUP, _TEMPLATE) and step.name.removesuffix("-launchTemplate") in groups

    def _stays(self, cluster: str, route: str | None) -> bool:
        """Tell whether a cluster that serves still does after the run, in a route or in any."""
        if route in self._weights:
            return self._weights[route][1].get(cluster, 0) > 0
        if route is not None:
            return self._live(route)
        # A rule that the run leaves alone says nothing: what serves in AWS then goes on to, whatever the state says.
        moves = any(before != after for before, after in self._weights.values())
        return not moves or any(after.get(cluster, 0) > 0 for _, after in self._weights.values())


def _some(steps: list[Step]) -> str:
    return f"{steps[0].name} and {len(steps) - 1} more" if len(steps) > 1 else steps[0].name


def _is_component(step: Step) -> bool:
    return step.type.startswith(_NOTHING_IN_AWS)


def _component(step: Step) -> str:
    match = _COMPONENT.search(step.urn.split("::")[2] if step.urn else "")
    return match[1] if match else ""


def _weighted(step: Step) -> bool:
    return step.type == LISTENER_RULE and step.name.endswith("-weighted") and step.op not in {"create", "import"}


def _only(step: Step, allowed: re.Pattern[str]) -> bool:
    said = step.op == "update" and _weighted(step) and step.paths
    return bool(said) and all(allowed.fullmatch(path) for path in step.paths)


def _by_cluster(weights: Weights, made: Collection[str], keys: Collection[str]) -> dict[str, int]:
    """Name the target groups of a rule by cluster; those that do not exist yet are in the order of the versions."""
    new = iter(sorted(made, key=order_of))
    return {next(new, "?") if arn == UNKNOWN else _cluster_in(arn, keys): weight for arn, weight in weights}


def _cluster_in(arn: str, keys: Collection[str]) -> str:
    """Return the cluster of a target group, from the name that the engine made for it, or that it has for good."""
    match = re.search(rf"-({_key(keys)})(?:-[0-9a-f]+)?/", arn)
    return match[1] if match else arn


def _key(keys: Collection[str]) -> str:
    """Return what a cluster's key looks like in a name: one that tells its version, or one of ``keys``."""
    return f"(?:{'|'.join([*map(re.escape, sorted(keys, key=len, reverse=True)), _VERSIONED])})"
