"""What a shift asks for: the new weights of all clusters, made of the few that were named, and which routes they move.

Pure. Refuses to own whether they are safe (gate.py) and how they reach AWS (commands/shift.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cutover.rules.found import Found
    from settings import Settings

HIGHEST = 999
"""The highest weight that ELB takes."""

_SHARE = re.compile(r"(?P<cluster>[^=]+)=(?P<weight>[0-9]+)")


class ShiftError(Exception):
    """What was asked for is no shift. The text says why, and what to ask instead."""


def parse(arguments: Iterable[str]) -> dict[str, int]:
    """Return the weights by cluster that arguments such as ``v1-36=10`` name.

    :raises ShiftError: one is no such thing, names a cluster again, or is above 999
    """
    asked: dict[str, int] = {}
    for argument in arguments:
        match = _SHARE.fullmatch(argument)
        if match is None or int(match["weight"]) > HIGHEST:
            raise ShiftError(
                f"{argument} is no share: it is KEY=WEIGHT, a whole number from 0 to {HIGHEST}. Nothing was changed. "
                "Write e.g. cutover shift v1-36=10"
            )
        if match["cluster"] in asked:
            raise ShiftError(f"{match['cluster']} is named twice. Nothing was changed. Name it once")
        asked[match["cluster"]] = int(match["weight"])
    return asked


def wanted(present: Mapping[str, int], asked: Mapping[str, int]) -> dict[str, int]:
    """Return the weights of all clusters once those in ``asked`` have theirs.

    The present sum stays. What is left of it goes to the clusters that were not named: to the only one, else to those
    that have a weight, in the proportions that they have now; the largest remainders are rounded up.

    :raises ShiftError: a cluster is unknown, the sum would be 0, or it is not clear who gets the rest
    """
    if unknown := [cluster for cluster in asked if cluster not in present]:
        raise ShiftError(
            f"there is no cluster {', '.join(unknown)}. Nothing was changed. There are {', '.join(present)}"
        )
    if not sum(asked.values()) and len(asked) == len(present):
        raise ShiftError("all weights would be 0. Nothing was changed. Leave one cluster a weight above 0")
    others = [cluster for cluster in present if cluster not in asked]
    rest = sum(present.values()) - sum(asked.values())
    if not others:
        return {cluster: asked[cluster] for cluster in present}
    all_named = " ".join(f"{cluster}={asked.get(cluster, 0)}" for cluster in present)
    if rest < 0:
        raise ShiftError(
            f"the weights add up to {sum(present.values())}, so nothing is left for {', '.join(others)}. Nothing was "
            f"changed. Name every cluster, such as cutover shift {all_named}"
        )
    takers = {cluster: present[cluster] for cluster in others if present[cluster]}
    if len(others) == 1:
        takers = {others[0]: 1}
    elif rest and not takers:
        raise ShiftError(
            f"{rest} of {sum(present.values())} would be left, and {', '.join(others)} have no weight by which to "
            f"spread it. Nothing was changed. Name every cluster, such as cutover shift {all_named}"
        )
    spread = shared_out(rest, takers)
    if high := [cluster for cluster, weight in spread.items() if weight > HIGHEST]:
        raise ShiftError(
            f"{', '.join(high)} would have more than {HIGHEST}, which ELB refuses. Nothing was changed. Name every "
            f"cluster, such as cutover shift {all_named}"
        )
    return {cluster: asked.get(cluster, spread.get(cluster, 0)) for cluster in present}


def with_weights(settings: Settings, weights: Mapping[str, int], route: str | None) -> Settings:
    """Return the settings as they are once the stack, or one route, has these weights."""
    if route is None:
        return settings.model_copy(update={"weights": weights})
    changed = settings.routes[route].model_copy(update={"weights": weights})
    return settings.model_copy(update={"matched": {**settings.matched, route: changed}})


def routes_of(settings: Settings, route: str | None) -> list[str]:
    """Return the live routes that the stack's weights, or those of one route, move.

    :raises ShiftError: there is no such route, or nothing that would move
    """
    if route is not None and route not in settings.routes:
        raise ShiftError(f"there is no route {route}. Nothing was changed. There are {', '.join(settings.routes)}")
    moved = [
        name
        for name, one in settings.routes.items()
        if one.live and (name == route or (route is None and one.weights is None))
    ]
    if not moved:
        raise ShiftError(
            f"{route} is not live. Nothing was changed. Its weights count once it has no live: false any more"
            if route
            else "no live route follows the weights of the stack. Nothing was changed. Name one with --route"
        )
    return moved


def live_weights(found: Found) -> dict[str, dict[str, int]]:
    """Return what the weighted rules in AWS say, by route and cluster; a group of no cluster goes by its ARN."""
    return {
        route: {
            found.groups[arn].cluster if arn in found.groups else arn: weight for arn, weight in rule.weights.items()
        }
        for route, rule in found.rules.items()
    }


def not_forwarding(found: Found, stack: str) -> str:
    """Say which weighted rules forward to nothing, and what to do; empty: all do."""
    if not found.instead:
        return ""
    return (
        f"the weighted rules of {', '.join(found.instead)} are there and forward to no cluster: somebody has given "
        "them another action, such as a maintenance page. Nothing was changed: weights would take it away unasked. "
        f"Once it may go, give the rule back its forward action in the console, or with pulumi up --refresh -s {stack}"
    )


def drifted(settings: Settings, live: Mapping[str, Mapping[str, int]]) -> dict[str, Mapping[str, int]]:
    """Return the live routes whose weights in AWS are others than the stack file's, with those in AWS."""
    return {
        name: live[name]
        for name, route in settings.routes.items()
        if route.live and name in live and not alike(live[name], settings.weights_of(name))
    }


def alike(some: Mapping[str, int], others: Mapping[str, int]) -> bool:
    """Tell whether weights are the same; a cluster that is not there yet, or no longer, is one of weight 0."""
    return {name: weight for name, weight in some.items() if weight} == {
        name: weight for name, weight in others.items() if weight
    }


def said(weights: Mapping[str, int]) -> str:
    """Say weights in a line."""
    return ", ".join(f"{cluster} {weight}" for cluster, weight in weights.items())


def shared_out(rest: int, takers: Mapping[str, int]) -> dict[str, int]:
    """Share ``rest`` out in the proportions of ``takers``; the largest remainders are rounded up."""
    total = sum(takers.values())
    spread = {cluster: rest * weight // total for cluster, weight in takers.items()}
    remainders = sorted(takers, key=lambda cluster: rest * takers[cluster] % total, reverse=True)
    for cluster in remainders[: rest - sum(spread.values())]:
        spread[cluster] += 1
    return spread
