"""Places on a listener, reckoned from a route and a cluster alone, so that none of them ever moves.

Owns the order of the rules on a listener, within the places that are the stack's. Refuses to know which rules stand
there (cutover/rules/places.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from settings.values import slot

MAX_ROUTE_PRIORITY = 1000
MAX_PLACE = 50000
"""The last place that ELB has."""

_SLOTS_PER_ROUTE = 40  # ten minor versions, four clusters of each
PLACES_PER_ROUTE = _SLOTS_PER_ROUTE + 1


@dataclass(frozen=True)
class Places:
    """The places from ``first`` to ``last``, in which all preview rules stand before all weighted ones.

    Each route has 40 places for preview rules, of which each of its clusters has one, and one for its weighted rule.
    They depend on nothing but the two, so adding or removing a route or a cluster moves no rule that exists (two rules
    that swap their priorities in one update collide: PriorityInUse).
    """

    first: int
    last: int

    @property
    def routes(self) -> int:
        """How many routes there is room for."""
        return max(0, self.last - self.first + 1) // PLACES_PER_ROUTE

    def preview(self, route_priority: int, cluster: str) -> int:
        """Return the listener priority of a preview rule: in the order of the routes."""
        return self.first + (route_priority - 1) * _SLOTS_PER_ROUTE + slot(cluster)

    def weighted(self, route_priority: int) -> int:
        """Return the listener priority of a weighted rule: behind every preview rule, in route order."""
        return self.last - self.routes + route_priority

    def route_priority(self, place: int) -> int:
        """Return the priority of the route to which a place belongs, whatever stands there."""
        behind = place - (self.last - self.routes)
        return behind if behind > 0 else (place - self.first) // _SLOTS_PER_ROUTE + 1


EVERY_PLACE = Places(1, MAX_ROUTE_PRIORITY * PLACES_PER_ROUTE)
"""On a load balancer of the stack's own: previews at 1 to 40000, weighted rules at 40001 to 41000."""
