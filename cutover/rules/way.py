"""Whether security groups let a load balancer through to the targets of a cluster, on both sides.

Pure. Owns what a rule of a security group lets pass. Refuses to own the reads (cutover/aws/way.py), and what no rule
tells: routes and network ACLs (borders.py), and policies inside the cluster.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from cutover.rules.check import Check
from cutover.rules.verdict import Unread, Verdict, known, some

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cutover.rules.check import Judged
    from cutover.rules.facts import Facts

_TCP = {"tcp", "6", "-1"}


@dataclass(frozen=True, kw_only=True)
class Side:
    """A load balancer: the ids of its security groups and subnets, the ranges of these, and what its groups let out."""

    name: str
    groups: frozenset[str]
    subnets: Sequence[str]
    ranges: Sequence[str]
    out: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A registered target: its address, its port, and what the network interface that has it is in."""

    route: str
    port: int
    address: str
    subnet: str
    groups: frozenset[str]
    balancer: str


@dataclass(frozen=True, kw_only=True)
class Way:
    """What was read: the targets, how many have no network interface that EC2 tells, and rules as EC2 tells them.

    ``into`` are permissions by security group, ``balancers`` by name.
    """

    targets: Sequence[Target]
    lost: int
    into: Mapping[str, Sequence[Mapping[str, Any]]]
    balancers: Mapping[str, Side]


def _judged(facts: Facts) -> Judged:
    way = known(facts.way)
    shut = [one for one in way.targets if not _in(way, one)]
    if shut:
        theirs = some({group for one in shut for group in one.groups})
        cure = (
            f"Have one of their groups ({theirs}) let that of the load balancer ({_groups(way, shut)}) in: aws ec2 "
            "authorize-security-group-ingress, or for a cluster of others existing.targetSecurityGroupIds"
        )
        said = [
            f"{count} targets of {what} let nobody of {by} in on {port}" for what, by, port, count in _counted(shut)
        ]
        return Verdict.BAD, "; ".join(said), cure
    kept = [one for one in way.targets if not _out(way, one)]
    if kept:
        cure = (
            f"Have the group of the load balancer ({_groups(way, kept)}) let it out there: aws ec2 "
            "authorize-security-group-egress"
        )
        said = [
            f"{by} lets nothing out to {count} targets of {what} on {port}" for what, by, port, count in _counted(kept)
        ]
        return Verdict.BAD, "; ".join(said), cure
    if not way.targets:
        why = "EC2 tells no network interface of any target" if way.lost else "no target is registered"
        raise Unread(why, "See target health first")
    lost = f"; of {way.lost} more EC2 tells no network interface" if way.lost else ""
    said = [f"{n} of {what} on {port}" for what, _, port, n in _counted(way.targets)]
    return Verdict.OK, "; ".join(said) + lost, ""


def _counted(targets: Sequence[Target]) -> list[tuple[str, str, int, int]]:
    """Return how many targets there are, as (route, load balancer, port, count)."""
    return [(*where, count) for where, count in sorted(Counter((t.route, t.balancer, t.port) for t in targets).items())]


def _groups(way: Way, targets: Sequence[Target]) -> str:
    """Return the security groups of the load balancers of some targets."""
    return some({group for one in targets for group in way.balancers[one.balancer].groups})


def _out(way: Way, target: Target) -> bool:
    """Tell whether the load balancer's groups let it out to a target."""
    return _passes(way.balancers[target.balancer].out, target.port, target.groups, [target.address])


def _in(way: Way, target: Target) -> bool:
    """Tell whether any of a target's groups lets the load balancer in: rules of several groups add up."""
    side = way.balancers[target.balancer]
    every = [permission for group in target.groups for permission in way.into.get(group, ())]
    return _passes(every, target.port, side.groups, side.ranges)


def _passes(
    permissions: Sequence[Mapping[str, Any]], port: int, groups: Collection[str], ranges: Sequence[str]
) -> bool:
    """Tell whether rules let TCP pass on a port, for any of the groups or all of the ranges or addresses."""
    open_here = [one for one in permissions if one["IpProtocol"] in _TCP and _covers(one, port)]
    if any(one.get("PrefixListIds") for one in open_here):
        return True  # whose ranges are not told here: it is not said that it is shut
    if any(pair["GroupId"] in groups for one in open_here for pair in one.get("UserIdGroupPairs", ())):
        return True
    let = [IPv4Network(cidr["CidrIp"], strict=False) for one in open_here for cidr in one.get("IpRanges", ())]
    wanted = [IPv4Network(one) for one in ranges]
    return bool(wanted) and all(any(one.subnet_of(wide) for wide in let) for one in wanted)


def _covers(permission: Mapping[str, Any], port: int) -> bool:
    first, last = permission.get("FromPort", -1), permission.get("ToPort", -1)
    return permission["IpProtocol"] == "-1" or first == -1 or first <= port <= last


CHECK = Check(
    code="CUT025",
    title="security groups",
    why="Nodes of a launch template or of Karpenter, and pods with groups of their own, have other security groups "
    "than the cluster's: a rule in that one opens nothing, and every request ends in a 504.",
    evidence="The groups of the network interfaces that the registered targets have, what those let in, and what the "
    "load balancer's own groups let out.",
    cure="Name the groups in `existing.targetSecurityGroupIds`, or have their owner add the rule.",
    page="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-register-targets.html"
    "#target-security-groups",
    judged=_judged,
)
