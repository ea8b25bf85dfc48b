"""Whether a cluster may be taken away: every reason against it, from what its stack, AWS and the cluster itself say.

Pure: it is given what was read. Owns the reasons, their words, and what of a stack file belongs to a cluster. Refuses
to own the reads (of aws/ and inside/) and what is done once there is no reason left (commands/retire.py).

Some reasons cannot be refuted by waiting, only be known: volumes that may go, an API that will never answer again. Each
of these has a word of its own by which somebody acknowledges it. The others have none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from cutover.rules.gate import coverage, flaws, need
from cutover.rules.missing import missing
from cutover.rules.move import Group

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cutover.rules.account import Account
    from cutover.rules.found import Found
    from cutover.rules.run import Step
    from settings import Settings

_NAMED = 5  # how many objects a reason names before it only counts them


class Word(StrEnum):
    """What can be acknowledged."""

    HISTORY = "history"
    REQUESTS = "requests"
    UNREACHABLE = "unreachable"
    KARPENTER = "karpenter"
    LOAD_BALANCERS = "load-balancers"
    VOLUMES = "volumes"
    JOBS = "jobs"
    BINDINGS = "bindings"


@dataclass(frozen=True)
class Reason:
    """Why a cluster may not go: what is so, with numbers, and what to do. ``word`` acknowledges it, if anything can."""

    what: str
    cure: str
    word: Word | None = None

    def __str__(self) -> str:
        known = f" Or, if it may be so, add --acknowledge {self.word}." if self.word else ""
        return f"{self.what}. {self.cure}.{known}"


@dataclass(frozen=True, kw_only=True)
class Requests:
    """RequestCount over the soak: of a load balancer, and by route of a cluster's target groups on it."""

    load_balancer: str
    total: int
    of_cluster: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that was read about a cluster.

    ``stack`` is how `-s` names the stack. ``zero_since`` is when the stack's history first has the cluster at weight 0
    for good, or None if it does not tell. ``left`` are names of what runs in it, and ``unreachable`` says why its
    Kubernetes API could not be asked for them.
    """

    cluster: str
    stack: str
    account: Account
    now: datetime
    zero_since: datetime | None
    requests: Sequence[Requests] = ()
    left: Mapping[Word, Sequence[str]] = field(default_factory=dict[Word, "Sequence[str]"])
    unreachable: str = ""


_LEFT = {
    Word.KARPENTER: (
        "nodes of Karpenter",
        "nothing would end them once it is gone, and they would go on costing",
        "Delete its NodePools and wait until the NodeClaims are gone: kubectl delete nodepools --all",
    ),
    Word.LOAD_BALANCERS: (
        "Services of type LoadBalancer",
        "their load balancers would stay behind and go on costing",
        "Move who uses them, then delete them: kubectl delete service -n NAMESPACE NAME",
    ),
    Word.VOLUMES: (
        "bound persistent volumes",
        "nothing would lead to their data any more",
        "Move or back up the data, then delete their claims: kubectl delete pvc -n NAMESPACE NAME",
    ),
    Word.JOBS: (
        "Jobs that run, or CronJobs that are not suspended",
        "they would end with it",
        "Let the Jobs end, suspend the CronJobs, and see that another cluster runs them",
    ),
    Word.BINDINGS: (
        "TargetGroupBindings of groups that are not this stack's",
        "what another stack, an Ingress or a Gateway sends there would be answered by nobody",
        "Have their owners move their traffic, then delete them: kubectl get targetgroupbindings -A",
    ),
}


def reasons(case: Case) -> list[Reason]:
    """Return every reason why the cluster may not be taken away; none: it may."""
    serves = list(_alone(case)) or list(_serves(case))
    return [
        *_no_forward(case),
        *_lacking(case),
        *(serves or _not_quiet_for_long(case)),
        *_not_covered(case),
        *_unseen(case),
        *_left(case),
        *bound(case.account, case.cluster),
    ]


def _alone(case: Case) -> Iterator[Reason]:
    if list(case.account.settings.clusters) == [case.cluster]:
        yield Reason(
            f"{case.cluster} is the only cluster of the stack, and nothing could serve in its place",
            f"Add the next one, bring it up, and give it all traffic first: cutover promote KEY -s {case.stack}",
        )


def _no_forward(case: Case) -> Iterator[Reason]:
    if instead := case.account.found.instead:
        yield Reason(
            f"The weighted rules of {', '.join(instead)} forward to no cluster, so nothing tells which serves",
            "Give them back their forward action in the console first",
        )


def held(found: Found, cluster: str, stack: str) -> Reason | None:
    """Return why somebody may still need the cluster at once: a rollback that went back to it and stands."""
    hold = found.hold
    routes = [name for name, weights in hold.weights.items() if weights.get(cluster, 0) > 0] if hold else []
    if hold is None or not routes:
        return None
    return Reason(
        f"{hold} went back to {cluster} for {', '.join(routes)}, and holds these weights",
        f"Release the hold once the reason is gone: cutover release -s {stack}",
    )


def needed(found: Found, cluster: str, stack: str) -> Reason | None:
    """Return why a cluster whose targets are about to be taken away must keep them, whatever was true before."""
    return held(found, cluster, stack) or next(_serves_in_aws(found, cluster, stack), None)


def soak(settings: Settings) -> timedelta:
    """Return how long a cluster must have been quiet: as configured, and at least until its last clients have left.

    Cookies of a sticky rule and open requests outlive the weight by the stickiness and the deregistration delay.
    """
    routes = settings.routes.values()
    sticky = (route.stickiness.duration for route in routes if route.stickiness)
    least = max([0, *sticky, *(route.deregistration_delay for route in routes)])
    return max(timedelta(hours=settings.retirement.soak_hours), timedelta(seconds=least))


def keys(settings: Settings, cluster: str) -> list[str]:
    """Return the paths of everything in a stack file that belongs to the cluster, without the project's name."""
    own = [f"routes.{name}.weights.{cluster}" for name, route in settings.routes.items() if route.weights is not None]
    override = settings.gate.override
    overridden = [f"gate.override.weights.{cluster}"] if override and cluster in override.weights else []
    return [f"clusters.{cluster}", f"weights.{cluster}", *own, *overridden]


def lifts(step: Step, cluster: str) -> bool:
    """Tell whether a step does no more than lift the cluster's deletion protection in AWS."""
    of_cluster = step.type == "aws:eks/cluster:Cluster" and step.name.startswith(f"{cluster}-eks")
    return of_cluster and step.op == "update" and step.paths == ("deletionProtection",)


def _serves(case: Case) -> Iterator[Reason]:
    settings, found = case.account.settings, case.account.found
    wanted = {"the stack": settings.weights} | {
        name: route.weights for name, route in settings.routes.items() if route.weights is not None
    }
    in_file = [f"{name} {weights[case.cluster]}" for name, weights in wanted.items() if weights.get(case.cluster, 0)]
    if in_file:
        yield Reason(
            f"{case.cluster} has a weight in the stack file ({', '.join(in_file)})",
            f"Move its share away first: cutover shift {case.cluster}=0 -s {case.stack}",
        )
    yield from _serves_in_aws(found, case.cluster, case.stack)


def _serves_in_aws(found: Found, cluster: str, stack: str) -> Iterator[Reason]:
    own = {arn for arn, group in found.groups.items() if group.cluster == cluster}
    live = {
        route: (sum(weight for arn, weight in rule.weights.items() if arn in own), sum(rule.weights.values()))
        for route, rule in found.rules.items()
    }
    if in_aws := [f"{route} {share} of {total}" for route, (share, total) in live.items() if share]:
        yield Reason(
            f"{cluster} serves in AWS ({', '.join(in_aws)})",
            f"Move its share away first: cutover shift {cluster}=0 -s {stack}",
        )


def _lacking(case: Case) -> Iterator[Reason]:
    for one in missing(case.account.settings, case.account.found, case.stack, without=case.cluster):
        yield Reason(f"{one.route} {one.what}", one.cure)


def _not_quiet_for_long(case: Case) -> Iterator[Reason]:
    wanted = soak(case.account.settings)
    if case.zero_since is None:
        yield Reason(
            f"the stack's history does not tell since when {case.cluster} has been at weight 0",
            f"Run `pulumi up` with its weight at 0, and this again {_hours(wanted)} later",
            Word.HISTORY,
        )
    elif case.now - case.zero_since < wanted:
        yield Reason(
            f"{case.cluster} has been at weight 0 for {_hours(case.now - case.zero_since)}, and must have been for "
            f"{_hours(wanted)} (retirement.soakHours, and no less than stickiness and deregistration delay)",
            f"Run this again after {case.zero_since + wanted:%Y-%m-%d %H:%M} UTC",
        )
        return
    for counted in case.requests:
        yield from _asked(case, counted, wanted)


def _asked(case: Case, counted: Requests, over: timedelta) -> Iterator[Reason]:
    for route, count in counted.of_cluster.items():
        if count:
            yield Reason(
                f"{route}: {case.cluster} got {count} {'request' if count == 1 else 'requests'} in the last "
                f"{_hours(over)}, by its preview rule or from clients that stick to it",
                f"Find out who asks for it (access logs), and run this again {_hours(over)} after the last",
            )
    if not counted.total and not any(counted.of_cluster.values()):
        yield Reason(
            f"the load balancer {counted.load_balancer} had no request in the last {_hours(over)}, so that "
            f"{case.cluster} had none proves nothing",
            "Run this again when it has had some",
            Word.REQUESTS,
        )


def _not_covered(case: Case) -> Iterator[Reason]:
    """Yield a reason for each group that serves and is not fit for its share."""
    policy = case.account.policy
    for route, rule in case.account.found.rules.items():
        if route not in case.account.settings.routes:
            continue
        move, total = case.account.move_to(route, rule.weights), sum(rule.weights.values())
        for arn, weight in rule.weights.items():
            group = case.account.health.get(arn, Group(cluster=arn, unreadable="it is none of the stack's"))
            if not weight or coverage(move, policy, arn, Fraction(weight, total)) >= 1:
                continue
            wants = need(move, policy, arn, Fraction(weight, total))
            healthy = f"{group.units} healthy {'target' if group.units == 1 else 'targets'}"
            seen = f"{group.cluster} has {healthy} and needs {wants} for its {weight / total:.0%}"
            if group.units >= wants:
                seen = f"{seen}, but {'; '.join(flaws(move, arn))}"
            if group.unreadable:
                seen = f"the health of {group.cluster} could not be read ({group.unreadable})"
            yield Reason(
                f"{route}: {seen}, and without {case.cluster} there is nowhere to go back to",
                f"Mend {group.cluster} first (cutover status {group.cluster} -s {case.stack}), or "
                "write what the route really needs as its capacity",
            )


def _unseen(case: Case) -> Iterator[Reason]:
    if case.unreachable:
        yield Reason(
            f"nothing tells what still runs in {case.cluster}: {case.unreachable}",
            "Where it will never answer again, make sure by other means that nothing in it is needed",
            Word.UNREACHABLE,
        )


def _left(case: Case) -> Iterator[Reason]:
    for word, (what, consequence, cure) in _LEFT.items():
        if names := case.left.get(word, ()):
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            shown = f"{len(names)}: {', '.join(names[:_NAMED])}{more}"
            yield Reason(f"{case.cluster} has {what} ({shown}), and {consequence}", cure, word)


def by_gitops(settings: Settings, cluster: str) -> bool:
    """Tell whether GitOps applies a cluster's bindings, so that it may bring them back."""
    wanted = settings.existing_clusters.get(cluster)
    return wanted is not None and wanted.bindings.apply_by == "gitops"


def bound(account: Account, cluster: str) -> Iterator[Reason]:
    """Yield why a cluster may not go whose bindings GitOps applies: while they stand, its targets would come back."""
    if not by_gitops(account.settings, cluster):
        return
    groups = [one for one in account.found.groups.values() if one.cluster == cluster]
    registered = sorted(one.route for one in groups if account.health[one.arn].registered)
    if registered:
        yield Reason(
            f"{cluster} has targets registered in {', '.join(registered)}: its bindings stand, and while they do "
            "its controller registers targets again that are taken out",
            "Take them out of the repository from which GitOps applies them, and wait until they are gone",
        )


def _hours(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    return f"{round(hours, 1):g} h" if hours >= 1 else f"{span / timedelta(minutes=1):.2g} min"
