"""What a stack should have in AWS and has not: a route's weighted rule, its target groups, or all that they stand on.

Pure. Nothing that moves traffic may begin while something is missing: the other routes would move, and it would fail at
that one. Owns what is missing, and which command makes it. Refuses to own the reads (live.py) and what each command
does about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutover.rules.gate import shares
from cutover.rules.shift import said

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cutover.rules.found import Found
    from settings import Settings


TARGETS = "kubectl rollout restart deployment -n kube-system -l app.kubernetes.io/name=aws-load-balancer-controller"
"""The command by which a cluster registers targets again that were taken out of its groups."""


@dataclass(frozen=True)
class Missing:
    """What a route lacks in AWS, what that means, and what makes it again."""

    route: str
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.route} {self.what}. {self.cure}"


def missing(settings: Settings, found: Found, stack: str, *, without: str = "") -> list[Missing]:
    """Return what the stack file has and AWS has not, but for the cluster ``without``, which is on its way out.

    ``stack`` is how `-s` names the stack.
    """
    return [one for route in settings.routes for one in _of(settings, found, route, stack, without)]


def unseen(state: Mapping[str, Mapping[str, int]], found: Found, stack: str) -> list[Missing]:
    """Return what the state has and AWS has not, by the weights of the state's rules, by route and cluster."""
    lacking: list[Missing] = []
    for route, weights in state.items():
        rule = found.rules.get(route)
        # A group whose name tells no cluster goes by its ARN.
        known = {*found.groups, *(rule.weights if rule else ())}
        gone = [of for of in weights if found.group_of(route, of) is None and of not in known]
        if weights and rule is None:
            again = all_of_it(stack) if gone else only(route, stack)
            lacking.append(Missing(route, f"{_NO_RULE}, and the state has it", f"To make it again: {again}"))
        elif gone:
            what = f"has no target group of {', '.join(gone)} in AWS, and the state has it"
            lacking.append(Missing(route, what, f"To make it again: {all_of_it(stack)}"))
    return lacking


def only(route: str, stack: str) -> str:
    """Return the command that makes a route's weighted rule again, and asks no other provider for anything."""
    return f"pulumi up --refresh --target '**::{route}-weighted' -s {stack}"


def all_of_it(stack: str) -> str:
    """Return the command that makes again whatever is missing."""
    return f"pulumi up --refresh -s {stack}"


_NO_RULE = "has no weighted rule in AWS, so its requests are answered by another rule or with 404"


def _of(settings: Settings, found: Found, route: str, stack: str, without: str) -> Iterator[Missing]:
    lacking = [
        cluster for cluster in settings.clusters if cluster != without and found.group_of(route, cluster) is None
    ]
    rule = not settings.routes[route].live or route in found.rules
    if route in found.rules and found.rules[route].instead:
        return  # a maintenance page is a finding of its own
    groups = f"target group of {', '.join(lacking)}"
    if not rule and lacking:
        what = f"{_NO_RULE}, and no {groups}: its load balancer or listener is gone, or it was never applied"
        yield Missing(route, what, f"To make it: {all_of_it(stack)}")
    elif not rule:
        yield Missing(route, _NO_RULE, f"To make it: {only(route, stack)}. {_at(settings, found, route)}")
    elif lacking:
        what = f"has no {groups} in AWS, or nothing that forwards to it: it was deleted, or never applied"
        yield Missing(route, what, f"To make it: {all_of_it(stack)}")


def _at(settings: Settings, found: Found, route: str) -> str:
    """Say which weights a rule gets, and what a hold says of that."""
    weights = settings.weights_of(route)
    gets = f"It gets the file's weights, {said(weights)}"
    if found.hold is None:
        return gets
    allowed = found.hold.allows(route)
    if any(shares(weights) == shares(one) for one in allowed):
        return f"{gets}, which the hold allows"
    ways = [f"give it {way} in the file first" for way in dict.fromkeys(map(said, allowed))]
    return f"{gets}, which the hold forbids: {' or '.join([*ways, 'release the hold'])}"
