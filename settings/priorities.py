"""Places on a listener, reckoned from a route and a cluster alone, so that none of them ever moves.

Owns the order of the rules on a listener. Refuses to know which rules stand there (cutover/rules/places.py).
"""

from __future__ import annotations

from settings.routes import MAX_ROUTE_PRIORITY
from settings.values import version_of

_SLOTS_PER_ROUTE = 40  # ten minor versions, four clusters of each
_FIRST_WEIGHTED = MAX_ROUTE_PRIORITY * _SLOTS_PER_ROUTE


def preview_priority(route_priority: int, cluster: str) -> int:
    """Return the listener priority of a preview rule, 1 to 40000: in the order of the routes.

    Each route has 40 places, and each of its clusters one of them. They depend on nothing but the two, so adding or
    removing a route or a cluster moves no rule that exists (two rules that swap their priorities in one update collide:
    PriorityInUse).
    """
    _, minor, again = version_of(cluster)
    return (route_priority - 1) * _SLOTS_PER_ROUTE + (minor % 10) * 4 + again + 1


def weighted_priority(route_priority: int) -> int:
    """Return the listener priority of a weighted rule, 40001 to 41000: behind every preview rule, in route order."""
    return _FIRST_WEIGHTED + route_priority


def route_priority(place: int) -> int:
    """Return the priority of the route to which a place on the listener belongs, whatever stands there."""
    return place - _FIRST_WEIGHTED if place > _FIRST_WEIGHTED else (place - 1) // _SLOTS_PER_ROUTE + 1
