"""Whether a cluster is ready to serve: one row per check. Pure: it is given what was read.

Owns the checks of what stands around a cluster in AWS. Refuses to own the reads (surroundings.py, objects.py) and the
comparison of what runs inside two clusters (parity.py).
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

from cutover.rules import admission, gate, parity
from cutover.rules.verdict import Row, Unread, Verdict, known, row, some

if TYPE_CHECKING:
    from cutover.rules.facts import (
        Answer,
        Facts,
        Subnet,
    )
    from cutover.rules.verdict import Objects

    _Judged = tuple[Verdict, str, str]

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


def judge(facts: Facts) -> list[Row]:
    """Return every row, in the order in which one would look."""
    rows = [
        row("target health", lambda: _target_health(facts)),
        row("Services", lambda: parity.services(facts.account.settings, facts.key, facts.here)),
        *admission.judge(facts.account, facts.key, facts.here),
        *(row(f"preview of {answer.route}", lambda answer=answer: _answer(answer)) for answer in facts.answers),
        row("free addresses", lambda: _addresses(facts)),
        row("quota of rules", lambda: _rules(facts)),
        row("quota of targets", lambda: _targets(facts)),
        row("quota of vCPU", lambda: _processors(facts)),
        row("end of support", lambda: _support(facts)),
        row("aws CLI", lambda: _cli(facts.cli)),
    ]
    if facts.peer is not None:
        rows += [
            row("upgrade insights", lambda: _insights(facts)),
            *parity.judge(facts, facts.peer),
        ]
    return [*rows, *parity.meshes({facts.key: facts.here} | ({facts.peer: facts.there} if facts.peer else {}))]


def free_blocks(subnet: Subnet) -> int:
    """Return how many whole /28 of a subnet nothing has an address in."""
    first, last = int(subnet.cidr.network_address), int(subnet.cidr.broadcast_address)
    # AWS keeps the first four addresses and the last one.
    busy = {address // _BLOCK for address in (first, last, *map(int, subnet.used))}
    busy |= {int(block.network_address) // _BLOCK for block in subnet.prefixes}
    return sum(block not in busy for block in range(first // _BLOCK, last // _BLOCK + 1))


def _target_health(facts: Facts) -> _Judged:
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


def _answer(answer: Answer) -> _Judged:
    asked = f"GET {answer.asked}"
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
    if answer.status >= _SERVER_ERROR:
        return Verdict.WARN, said, "Read the logs of the pods behind it"
    return Verdict.OK, said, ""


def _addresses(facts: Facts) -> _Judged:
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


def _rules(facts: Facts) -> _Judged:
    limit, counts = _limit(facts, _RULES), known(facts.rules)
    evidence = ", ".join(f"{_name(balancer)} {count} of {limit}" for balancer, count in counts.items())
    most = max(counts.values(), default=0)
    cure = "Ask Service Quotas for more rules per load balancer, and write what you get as ruleQuota"
    if most >= limit:
        return Verdict.BAD, evidence, cure
    return (Verdict.WARN, evidence, cure) if most > _NEARLY * limit else (Verdict.OK, evidence, "")


def _targets(facts: Facts) -> _Judged:
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


def _processors(facts: Facts) -> _Judged:
    seen, nodes = known(facts.processors), facts.account.settings.clusters[facts.key].nodes
    grown = seen.used + max(0, nodes.max_size - seen.nodes) * seen.per_node
    evidence = f"{seen.used} of {seen.limit} used; {facts.key} at maxSize {nodes.max_size}: {grown}"
    cure = f"Ask Service Quotas for {grown} ({seen.code}): without them new nodes do not start"
    if seen.used + seen.per_node > seen.limit:
        return Verdict.BAD, evidence, cure
    return (Verdict.WARN, evidence, cure) if grown > seen.limit else (Verdict.OK, evidence, "")


def _support(facts: Facts) -> _Judged:
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


def _insights(facts: Facts) -> _Judged:
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


def _cli(said: str) -> _Judged:
    cure = "Install the aws CLI 2.7 or newer, or of version 1 1.24 or newer: every preview runs it"
    match = re.match(r"aws-cli/(\d+)\.(\d+)\.(\d+)", said)
    if match is None:
        return Verdict.BAD, "it is not on PATH" if not said else f"`aws --version` says: {said}", cure
    version = (int(match[1]), int(match[2]), int(match[3]))
    evidence = match[0]
    if version < _OLDEST_AWS.get(version[0], (0, 0, 0)):
        return Verdict.BAD, evidence, cure
    return Verdict.OK, evidence, ""


def _name(balancer: str) -> str:
    """Return the name in a load balancer's ARN."""
    return balancer.split("/")[-2]
