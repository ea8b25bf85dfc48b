"""What of a listener that somebody else made can become routes of a stack, and the stack file that says so.

Pure. Owns which rules can be taken, where the stack's own have room before them, and the words of the file, with a
comment wherever a person must decide. Refuses to own the reading (cutover/aws/adoption.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from settings.aws import account_of
from settings.priorities import MAX_PLACE, PLACES_PER_ROUTE, Places
from settings.rules.routes import MAX_CONDITION_VALUES, MAX_WILDCARDS
from settings.values import slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cutover.rules.listener import Listener, Rule

# Together with a hyphen they are the 24 characters that auto-naming leaves a target group's name.
_LONGEST_ROUTE, _LONGEST_KEY = 11, 12

# What one reader of YAML or another takes for something else than text (YAML 1.1, types bool and null).
_NO_NAMES = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


_RULES = "manage # DECIDE: none, where their owner throws out rules that are not its own"
_NO_ROOM = "there are no free places before it"


@dataclass(frozen=True, kw_only=True)
class Behind:
    """A target group of others as ELB describes it: what a route in its place is to be like.

    ``healthy`` and ``targets`` are None where its health could not be read.
    """

    name: str
    target_type: str
    protocol_version: str
    health_path: str
    matcher: str
    deregistration_delay: int
    healthy: int | None = None
    targets: int | None = None


@dataclass(frozen=True)
class Balancer:
    """A load balancer: its name, scheme and VPC, and whose it is as far as its tags tell.

    ``ranges`` are those of its subnets, from which it reaches targets.
    """

    name: str
    scheme: str
    vpc: str
    owner: str
    groups: Sequence[str] = ()
    ranges: Sequence[str] = ()


@dataclass(frozen=True)
class Cluster:
    """A cluster as EKS describes it, by the facts that matter for a start.

    ``crd_level`` is the version of the controller whose CRDs are there, where that is an old one; None where its API
    could not be read. ``role`` is that by which it is reached in another account. ``absent`` is whether EKS has none of
    its name; ``why`` says why it could not be read.
    """

    name: str
    version: str = ""
    vpc: str = ""
    security_group: str = ""
    mode: str = ""
    automatic: bool = False
    crd_level: str | None = ""
    role: str = ""
    absent: bool = False
    why: str = ""

    def beyond(self, vpc: str) -> bool:
        """Tell whether it is known to stand in another VPC."""
        return self.vpc not in {"", vpc}


@dataclass(frozen=True)
class Candidate:
    """A rule that can become a route of this name; the group that it forwards to tells what the route is like."""

    name: str
    rule: Rule
    group: Behind


def candidates(listener: Listener, groups: Mapping[str, Behind]) -> tuple[list[Candidate], dict[str, str]]:
    """Return the rules that can become routes, in ELB's order, and why others cannot, by their words."""
    found: list[Candidate] = []
    left: dict[str, str] = {}
    for rule in (rule for rule in listener.rules if not rule.own):
        why = _why_not(rule, groups)
        if why:
            left[str(rule)] = why
            continue
        group = groups[max(rule.forwards, key=lambda arn: rule.forwards[arn])]
        taken = {one.name for one in found}
        found.append(Candidate(_name(group.name, taken, _LONGEST_ROUTE), rule, group))
    return found, left


NOWHERE = Places(1, 0)


@dataclass(frozen=True)
class Room:
    """Free places, the rules that can be taken from there, and why others cannot, by their words.

    Where none can be taken there are no places.
    """

    places: Places
    routes: Sequence[Candidate]
    left: Mapping[str, str]


def room(listener: Listener, wanted: Sequence[Candidate]) -> Room:
    """Return free places before as many of the rules as can be; none where there are none before any.

    A rule that stays with its owner keeps its requests: what lies behind it and matches some of them too is not taken
    from places before it. Of several places that do alike the nearest are returned, and twice as many as are needed
    where there is so much room, so that routes can be added.
    """
    edges = [0, *sorted(rule.place for rule in listener.rules if rule.place is not None), MAX_PLACE + 1]
    by_rule = {one.rule.arn: one for one in wanted}
    _, blocked = _taken(listener, by_rule, 0, len(wanted))
    best = Room(NOWHERE, [], {str(one.rule): _NO_ROOM for one in wanted} | blocked)
    for first, last in reversed([*pairwise(edges)]):
        size = (last - first - 1) // PLACES_PER_ROUTE
        taken, left = _taken(listener, by_rule, last, size)
        if len(taken) > len(best.routes):
            best = Room(Places(last - min(size, 2 * len(taken)) * PLACES_PER_ROUTE, last - 1), taken, left)
    return best


def _taken(
    listener: Listener, wanted: Mapping[str, Candidate], last: int, size: int
) -> tuple[list[Candidate], dict[str, str]]:
    """Return which rules can be taken from ``size`` routes' places that end before ``last``, and why others cannot."""
    taken: list[Candidate] = []
    left: dict[str, str] = {}
    stay: list[Rule] = []
    for rule in listener.rules:
        one = wanted.get(rule.arn)
        behind = rule.place is None or rule.place >= last
        why = ""
        if one and not behind:
            why = "the free places from which most rules can be taken lie behind it"
        elif one and len(taken) == size:
            why = _NO_ROOM
        elif one and (before := next((other for other in stay if other.meets(rule)), None)):
            why = f"{before} stays before it, and answers some of the same requests"
        if one and not why:
            taken.append(one)
            continue
        if behind:
            stay.append(rule)
        left |= {str(rule): why} if why else {}
    return taken, left


def shadows(listener: Listener, found: Room) -> dict[str, str]:
    """Return by route what answers requests of it before it is asked, and would go on doing so."""
    before = {one.name: listener.shadowing(found.places.first, one.rule) for one in found.routes}
    return {name: ", ".join(map(str, rules)) for name, rules in before.items() if rules}


def written(
    balancer: Balancer,
    listener: Listener,
    found: Room,
    clusters: Sequence[Cluster],
    *,
    region: str,
    rule_quota: int | None,
) -> str:
    """Return a stack file for a listener and clusters; each line that needs a person says so.

    ``rule_quota`` is the account's where it is known.
    """
    quota = [f"      ruleQuota: {rule_quota}"] if rule_quota else []
    apart = any(one.beyond(balancer.vpc) or _abroad(one, listener) for one in clusters)
    lines = [*_head(region, listener, found), *quota, *_clusters(clusters, balancer, listener)]
    return "\n".join([*lines, *_routes(found.routes, apart=apart)]) + "\n"


def _why_not(rule: Rule, groups: Mapping[str, Behind]) -> str:
    """Return why a rule stays with its owner; empty where it can become a route."""
    why = ""
    if not rule.forwards:
        why = f"it forwards to nothing ({rule.instead})"
    elif rule.before:
        why = f"it asks who a user is first ({rule.before})"
    elif rule.besides:
        why = f"it asks for more than hosts and paths ({', '.join(rule.besides)})"
    elif not any(arn in groups for arn in rule.forwards):
        why = "its target groups could not be read"
    elif len(rule.hosts) + len(rule.paths) + 1 > MAX_CONDITION_VALUES:
        why = f"with the preview header it would hold more than {MAX_CONDITION_VALUES} condition values"
    elif sum(value.count("*") + value.count("?") for value in [*rule.hosts, *rule.paths]) > MAX_WILDCARDS:
        why = f"it holds more than {MAX_WILDCARDS} wildcards"
    return why


def _name(given: str, taken: set[str], longest: int) -> str:
    """Return a name of at most ``longest`` characters after a given one, which no other has."""
    plain = re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9]", "-", given.lower())).strip("-")
    named = plain[:1].isalpha() and plain not in _NO_NAMES
    base = (plain if named else f"r-{plain}")[:longest].rstrip("-")
    numbered = (f"{base[: longest - 4].rstrip('-')}-{number}" for number in range(2, 1000))
    return base if base not in taken else next(name for name in numbered if name not in taken)


def _head(region: str, listener: Listener, found: Room) -> Iterator[str]:
    (name, port), places = listener.named, found.places
    yield "# Written by cutover adopt. Each route is at live: false: the first pulumi up changes no request's answer."
    yield "config:"
    yield f"  aws:region: {region}"
    yield "  eks-cutover:loadBalancers:"
    yield "    shared:"
    yield f"      existing: {{name: {_text(name)}, port: {port}}}"
    yield "      # Nobody else may have rules here. Places for " + f"{places.routes} routes, {PLACES_PER_ROUTE} each."
    yield f"      rulePriorities: {{min: {places.first}, max: {places.last}}}"


def _abroad(cluster: Cluster, listener: Listener) -> bool:
    """Tell whether a cluster is in another account than a listener."""
    return bool(cluster.role) and account_of(cluster.role) != account_of(listener.load_balancer)


def _clusters(clusters: Sequence[Cluster], balancer: Balancer, listener: Listener) -> Iterator[str]:
    keys = _keys([one.name for one in clusters])
    yield "  # DECIDE: keys are free, and stand in the names of what is made: choose them for good."
    yield "  eks-cutover:clusters:"
    for cluster in clusters:
        beyond, abroad = cluster.beyond(balancer.vpc), _abroad(cluster, listener)
        yield f"    {keys[cluster.name]}:"
        yield "      existing:"
        yield f"        name: {_text(cluster.name)}"
        if cluster.role:
            yield f"        assumeRole: {cluster.role}"
        if beyond and balancer.ranges:
            yield f"        loadBalancerCidrs: [{', '.join(balancer.ranges)}] # of the load balancer's subnets"
        if abroad:
            arn = cluster.role.split(":")
            role = ":".join([*arn[:4], account_of(listener.load_balancer), "role/eks-cutover-targets"])
            yield "      loadBalancerController: # DECIDE: make this role for its controller: docs/adoption.md"
            yield f"        iamRoleArnToAssume: {role}"
            yield f"        assumeRoleExternalId: eks-cutover-{keys[cluster.name]}"
            if cluster.crd_level:
                yield f'        crdLevel: "{cluster.crd_level}" # as its CRDs are'
        elif cluster.automatic and not beyond:
            yield "      loadBalancerController: {managedBy: autoMode} # DECIDE: external, if one of yours binds"
        elif cluster.crd_level:
            yield f'      loadBalancerController: {{crdLevel: "{cluster.crd_level}"}} # as its CRDs are'
        if cluster.crd_level is None:
            yield "      # DECIDE: loadBalancerController.crdLevel, if the CRDs there (unread) are older than 3.0"
        rules = "none # DECIDE: its ranges could not be read" if beyond and not balancer.ranges else _RULES
        yield f"      securityGroupRules: {rules}"
        yield "      bindings: {applyBy: stack} # DECIDE: gitops, where GitOps owns what runs inside"
    weights = ", ".join(f"{key}: {0 if place else 100}" for place, key in enumerate(keys.values()))
    yield "  # DECIDE: who serves once a route is live. The first cluster is taken for the one that serves now."
    yield f"  eks-cutover:weights: {{{weights}}}"


def _keys(clusters: Iterable[str]) -> dict[str, str]:
    """Return a key of each cluster, by its name in EKS, of which no two have one place on a listener."""
    keys: dict[str, str] = {}
    for name in clusters:
        tried = (_name(f"{more}{name}", set(keys.values()), _LONGEST_KEY) for more in ("", *"abcdefghij"))
        keys[name] = next(key for key in tried if slot(key) not in map(slot, keys.values()))
    return keys


def _routes(routes: Sequence[Candidate], *, apart: bool) -> Iterator[str]:
    yield "  eks-cutover:routes:"
    for priority, one in enumerate(routes, 1):
        group = one.group
        yield f"    {one.name}: # in place of {one.rule}, which forwards to {group.name}"
        yield f"      priority: {priority}"
        if one.rule.hosts:
            yield f"      hosts: {_listed(one.rule.hosts)}"
        yield f"      paths: {_listed(one.rule.paths or ['/*'])}"
        yield f"      targetType: {'ip' if apart else group.target_type}"
        if group.protocol_version != "HTTP1":
            yield f"      protocolVersion: {group.protocol_version}"
        yield "      # DECIDE: the Service behind it, in every cluster"
        yield f"      service: {{namespace: default, name: {one.name}, port: 80}}"
        yield f"      healthCheck: {{path: {_text(group.health_path)}, matcher: {_text(group.matcher)}}}"
        yield f"      deregistrationDelay: {group.deregistration_delay}"
        yield "      live: false"


def _listed(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def statement(denied: Sequence[str]) -> dict[str, Any]:
    """Return the statement of a policy that grants what was denied."""
    return {"Effect": "Allow", "Action": sorted(set(denied)), "Resource": "*"}
