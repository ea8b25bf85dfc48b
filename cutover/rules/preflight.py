"""Whether a cluster is ready to serve: every check of the preflight. Pure: it is given what was read.

Owns those of what stands around a cluster in AWS, and the order of all. Refuses to own the reads (surroundings.py,
objects.py), the comparison of what runs inside two clusters (parity.py, unmoved.py), and controllers (admission.py).
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

from cutover.rules import admission, borders, gate, parity, probes, rights, unmoved, way, written
from cutover.rules.check import Check, ignoring
from cutover.rules.verdict import Unread, Verdict, known, some

if TYPE_CHECKING:
    from cutover.rules.check import Judged
    from cutover.rules.facts import Answer, Facts, Processors, Subnet
    from cutover.rules.verdict import Objects, Row


_SUPPORT_DAYS = 90
# EKS: each subnet of a cluster needs 6 free addresses, and should have 16 (user guide, network requirements).
_LEAST_ADDRESSES, _FEW_ADDRESSES = 6, 16
_BLOCK = 16  # addresses of a /28, which is what prefix delegation takes at a time
_NEARLY = 0.9
_RULES, _TARGETS = "rules-per-application-load-balancer", "targets-per-application-load-balancer"
# The component runs `aws eks get-token`, with the API version that these brought.
_OLDEST_AWS = {1: (1, 24, 0), 2: (2, 7, 0)}
# Answers that the load balancer gives itself when no rule matches, no target stands, or none answers.
_NO_RULE, _NO_TARGET = 404, {502, 503, 504}
_SERVER_ERROR = 500


def free_blocks(subnet: Subnet) -> int:
    """Return how many whole /28 of a subnet nothing has an address in."""
    first, last = int(subnet.cidr.network_address), int(subnet.cidr.broadcast_address)
    # AWS keeps the first four addresses and the last one.
    busy = {address // _BLOCK for address in (first, last, *map(int, subnet.used))}
    busy |= {int(block.network_address) // _BLOCK for block in subnet.prefixes}
    return sum(block not in busy for block in range(first // _BLOCK, last // _BLOCK + 1))


def _target_health(facts: Facts) -> Judged:
    account, said, verdict, wants = facts.account, list[str](), Verdict.OK, 0
    for route in account.settings.routes:
        arn = account.found.group_of(route, facts.key)
        if arn is None:
            return Verdict.BAD, f"{route} has no target group for {facts.key}", "Bring the stack up: pulumi up"
        group = account.health[arn]
        if group.unreadable:
            raise Unread(f"{route}: {group.unreadable}")
        if not group.checked:
            return Verdict.BAD, f"{route} has its health checks switched off", "Switch them on: pulumi up"
        rule = account.found.rules.get(route)
        weights = rule.weights if rule else {}
        move = account.move(route, {facts.key: 1})
        share = Fraction(weights.get(arn, 0), sum(weights.values()) or 1)
        now = gate.need(move, account.policy, arn, share or Fraction(1, 100))
        whole = gate.need(move, account.policy, arn, 1)
        wants = max(wants, whole)
        said.append(f"{route} {group.units} healthy, needs {now} now and {whole} at 100%")
        if group.units < now:
            verdict = Verdict.BAD
        elif gate.coverage(move, account.policy, arn, 1) < 1 and verdict is Verdict.OK:
            verdict = Verdict.WARN
    cures = {
        Verdict.BAD: "Find out why: aws elbv2 describe-target-health, kubectl get targetgroupbindings -A",
        Verdict.WARN: f"Let it reach {wants}, in two zones, before it gets everything: raise the autoscaler's minimum",
    }
    return verdict, "; ".join(said) or "there is no route", cures.get(verdict, "")


def _answer(answer: Answer) -> Judged:
    asked = answer.said
    if isinstance(answer.status, Unread):
        if answer.untrusted:
            return Verdict.BAD, f"{asked}: {answer.status}", "Give the load balancer a certificate of that name"
        raise Unread(f"{asked}: {answer.status}", answer.status.cure)
    said = f"{asked} is answered with {answer.status}"
    if answer.status == _NO_RULE:
        cure = "Compare preview.header, secret and sourceCidrs with what is up, and see whether the path exists"
        return Verdict.BAD, said, cure
    if answer.status in _NO_TARGET:
        return Verdict.BAD, said, "No target took the request: see target health and Services"
    if isinstance(answer.status, str) or answer.status >= _SERVER_ERROR:
        return Verdict.WARN, said, "Read the logs of the pods behind it"
    return Verdict.OK, said, ""


def _addresses(facts: Facts) -> Judged:
    subnets, missing, prefixes = known(facts.subnets), 0, False
    blind: Unread | None = None
    try:
        prefixes = parity.delegates_prefixes(facts.here)
        missing = _pods(facts.there) - _pods(facts.here)
    except Unread as reason:  # too few is too few, whatever runs inside
        blind = reason
    blocks = {subnet.id: free_blocks(subnet) for subnet in subnets}
    said = [
        f"{subnet.id} ({subnet.zone}) {subnet.free}" + (f", {blocks[subnet.id]} whole /28" if prefixes else "")
        for subnet in subnets
    ]
    evidence = "; ".join(said)
    if missing > 0:
        evidence += f"; {facts.key} runs {missing} pods less than {facts.peer}"
    room = sum(_BLOCK * blocks[subnet.id] if prefixes else subnet.free for subnet in subnets)
    tight = [subnet.id for subnet in subnets if subnet.free < _LEAST_ADDRESSES or (prefixes and not blocks[subnet.id])]
    if tight or room < missing:
        return Verdict.BAD, evidence, "Pods would stay without an address: add a zone, or free addresses"
    if few := [subnet.id for subnet in subnets if subnet.free < _FEW_ADDRESSES]:
        return Verdict.WARN, evidence, f"EKS asks for 16 in each subnet: free addresses in {some(few)}"
    if blind:
        raise Unread(f"{evidence}; how many pods need one is not known: {blind}", blind.cure)
    return Verdict.OK, evidence, ""


def _pods(inside: Objects) -> int:
    """Return how many pods Deployments and StatefulSets run; 0 for no cluster."""
    kinds = [known(inside[kind]) for kind in ("deployments", "statefulsets") if kind in inside]
    return sum(workload.get("status", {}).get("replicas", 0) for kind in kinds for workload in kind)


def _rules(facts: Facts) -> Judged:
    limit, counts = _limit(facts, _RULES), known(facts.rules)
    evidence = ", ".join(f"{_name(balancer)} {count} of {limit}" for balancer, count in counts.items())
    most = max(counts.values(), default=0)
    cure = "Ask Service Quotas for more rules per load balancer, and write what you get as ruleQuota"
    if most >= limit:
        return Verdict.BAD, evidence, cure
    return (Verdict.WARN, evidence, cure) if most > _NEARLY * limit else (Verdict.OK, evidence, "")


def _targets(facts: Facts) -> Judged:
    """Count the healthy targets of every load balancer, and what the cluster still lacks to take everything."""
    account, limit, counts = facts.account, _limit(facts, _TARGETS), Counter[str]()
    for route, rule in account.found.rules.items():
        if route not in account.settings.routes:
            continue
        groups = [arn for arn, group in account.found.groups.items() if group.route == route]
        counts[rule.load_balancer] += sum(account.health[arn].units for arn in groups)
        own = account.found.group_of(route, facts.key)
        whole = gate.need(account.move(route, {facts.key: 1}), account.policy, own, 1)
        counts[rule.load_balancer] += max(0, whole - (account.health[own].units if own else 0))
    said = [f"{_name(balancer)} {count} of {limit}" for balancer, count in counts.items()]
    evidence = f"with {facts.key} at 100%: {', '.join(said)}" if said else "no route is live"
    cure = "Ask Service Quotas for more targets per load balancer"
    most = max(counts.values(), default=0)
    if most > limit:
        return Verdict.BAD, evidence, cure
    return (Verdict.WARN, evidence, cure) if most > _NEARLY * limit else (Verdict.OK, evidence, "")


def _limit(facts: Facts, name: str) -> int:
    limits = known(facts.limits)
    if name not in limits:
        raise Unread(f"ELB does not tell its quota {name}")
    return limits[name]


def _processors(given: tuple[str, Processors | Unread]) -> Judged:
    key, seen = given[0], known(given[1])
    grown = seen.used + max(0, seen.full - seen.own)
    evidence = f"{seen.used} of {seen.limit} used; {key} at maxSize {seen.most}: {grown}"
    cure = f"Ask Service Quotas for {grown} ({seen.code}): without them new nodes do not start"
    if seen.used + seen.per_node > seen.limit:
        return Verdict.BAD, evidence, cure
    return (Verdict.WARN, evidence, cure) if grown > seen.limit else (Verdict.OK, evidence, "")


def _quotas(facts: Facts) -> list[tuple[str, tuple[str, Processors | Unread]]]:
    """Return the quotas that count for a cluster of the stack's own, each by its code where they are several."""
    if facts.key not in facts.account.settings.own_clusters:
        return []
    if isinstance(facts.processors, Unread):
        return [("", (facts.key, facts.processors))]
    several = len(facts.processors) > 1
    return [(one.code if several else "", (facts.key, one)) for one in facts.processors]


def _support(facts: Facts) -> Judged:
    support = facts.support
    if support.standard is None or support.extended is None:
        raise Unread(support.unread or f"EKS does not tell when support of {support.version} ends")
    ends = {"standard": support.standard, "extended": support.extended}
    left = {name: (end - facts.today).days for name, end in ends.items()}
    said = [f"{name} {'ended' if left[name] < 0 else 'ends'} on {end}" for name, end in ends.items()]
    evidence = f"{support.version}, policy {support.policy}: {', '.join(said)}"
    if support.forced and (support.forced - facts.today).days <= _SUPPORT_DAYS:
        return Verdict.BAD, evidence, "EKS then upgrades the control plane by itself: move on to a later version"
    if left["standard"] <= _SUPPORT_DAYS:
        return Verdict.WARN, evidence, "From then the control plane costs six times as much: plan the next version"
    return Verdict.OK, evidence, ""


def _insights(facts: Facts) -> Judged:
    """Judge what EKS says of the peer on the way to this version.

    Only deprecated APIs follow a workload into a new cluster. The other insights (skew of nodes, add-ons) are about an
    upgrade in place, which does not happen here.
    """
    insights = known(facts.insights)
    if not insights.found:
        return Verdict.OK, f"EKS has none on the way from {facts.peer} to {facts.key}", ""
    found = [insight for insight in insights.found if insight.status != "PASSING"]
    age = "" if insights.fresh else " (EKS did not look anew in time: up to a day old)"
    evidence = some(f"{insight.version} {insight.name}: {insight.status}" for insight in found) + age
    follows = [insight for insight in found if insight.deprecated]
    cure = next((insight.recommendation for insight in follows or found), "")
    if any(insight.status == "ERROR" for insight in follows):
        return Verdict.BAD, evidence, cure
    if any(insight.status in {"ERROR", "WARNING"} for insight in found):
        return Verdict.WARN, evidence, cure
    if found:
        return Verdict.UNKNOWN, evidence, cure
    return Verdict.OK, f"{len(insights.found)} of {facts.peer} are passing{age}", ""


def _cli(facts: Facts) -> Judged:
    cure = "Install the aws CLI 2.7 or newer, or of version 1 1.24 or newer: every preview runs it"
    match = re.match(r"aws-cli/(\d+)\.(\d+)\.(\d+)", facts.cli)
    if match is None:
        return Verdict.BAD, "it is not on PATH" if not facts.cli else f"`aws --version` says: {facts.cli}", cure
    version = (int(match[1]), int(match[2]), int(match[3]))
    evidence = match[0]
    if version < _OLDEST_AWS.get(version[0], (0, 0, 0)):
        return Verdict.BAD, evidence, cure
    return Verdict.OK, evidence, ""


def _name(balancer: str) -> str:
    """Return the name in a load balancer's ARN."""
    return balancer.split("/")[-2]


CHECKS = (
    Check(
        code="CUT001",
        title="target health",
        why="The gate lets a share grow only with the targets for it. This tells beforehand how far it would.",
        evidence="DescribeTargetHealth of the cluster's target groups, and what the gate asks for now and at 100 %.",
        cure="See why targets are not healthy (`aws elbv2 describe-target-health`), or raise the autoscaler's minimum.",
        page="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html",
        judged=_target_health,
    ),
    way.CHECK,
    borders.CHECK,
    parity.SERVICES,
    *admission.CHECKS,
    Check(
        code="CUT005",
        title="preview",
        why="A preview rule leads one request to the new cluster before any share does: the whole way from the load "
        "balancer to a pod.",
        evidence="A GET of the route's health check path with the preview header; of a route with `probes` those are "
        "asked in its place.",
        cure="404: compare `preview` in the stack file with what is up. 502 to 504: see CUT001 and CUT002.",
        page="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html",
        judged=_answer,
        each=lambda facts: [(answer.route, answer) for answer in facts.answers if answer.probe is None],
    ),
    probes.CHECK,
    Check(
        code="CUT006",
        title="free addresses",
        why="A pod without an address does not start, and EKS needs six addresses in each subnet for itself.",
        evidence="Free addresses of the cluster's subnets, and whole /28 of them where the VPC CNI delegates prefixes.",
        cure="Add a zone or a subnet, or free addresses.",
        page="https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html",
        judged=_addresses,
    ),
    Check(
        code="CUT007",
        title="quota of rules",
        why="Each cluster adds a preview rule for every route. Above the quota an update stops halfway.",
        evidence="The rules of each load balancer, and ELB's quota.",
        cure="Ask Service Quotas for more, and write what you get as `ruleQuota`.",
        page="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html",
        judged=_rules,
    ),
    Check(
        code="CUT008",
        title="quota of targets",
        why="Two clusters together have up to twice the targets. Above the quota new ones are not registered.",
        evidence="The healthy targets of each load balancer, with what the cluster lacks at 100 %, and ELB's quota.",
        cure="Ask Service Quotas for more targets per load balancer.",
        page="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html",
        judged=_targets,
    ),
    Check(
        code="CUT009",
        title="quota of vCPU",
        why="Two clusters together have up to twice the nodes. Above the quota new ones do not start.",
        evidence="EC2's quota, what is used of it, and the nodes of the cluster at `maxSize`.",
        cure="Ask Service Quotas for as many as the row says.",
        page="https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html",
        judged=_processors,
        each=_quotas,
    ),
    Check(
        code="CUT010",
        title="end of support",
        why="When support ends EKS upgrades a control plane in place by itself, and before that it costs six times as "
        "much.",
        evidence="What EKS says of the version, and the cluster's upgrade policy.",
        cure="Move on to a later version.",
        page="https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html",
        judged=_support,
    ),
    Check(
        code="CUT011",
        title="aws CLI",
        why="The EKS component runs `aws eks get-token` at every preview and update.",
        evidence="`aws --version` where the command was given.",
        cure="Install 2.7 or newer, or of version 1 1.24 or newer.",
        page="https://docs.aws.amazon.com/cli/latest/reference/eks/get-token.html",
        judged=_cli,
    ),
    Check(
        code="CUT012",
        title="upgrade insights",
        why="What still uses an API that the new version has no more would not work in the new cluster either.",
        evidence="EKS's insights of the cluster that serves, on the way to this version.",
        cure="What EKS recommends.",
        page="https://docs.aws.amazon.com/eks/latest/userguide/cluster-insights.html",
        judged=_insights,
        beside=True,
    ),
    rights.CHECK,
    *parity.CHECKS,
    *written.CHECKS,
    *unmoved.CHECKS,
)
"""Every check, in the order in which one would look."""


def judge(facts: Facts) -> list[Row]:
    """Return the rows of all checks, with the reasons of those that the stack file ignores."""
    rows = [row for check in CHECKS for row in check.rows(facts)]
    return ignoring(rows, facts.account.settings.checks.ignore)
