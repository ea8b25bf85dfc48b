"""Places on listeners: which rule stands at which priority, and whether one of the stack file would find its own taken.

Pure. ELB has no place for two rules, so a swap of two priorities stops halfway. Refuses to own how a priority is
reckoned (settings/priorities.py), and rules that the file alone shows to be in each other's way (settings/).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from settings.rules.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings import Settings


@dataclass(frozen=True)
class Place:
    """A rule that stands on a listener: of which route and cluster, or, with neither, somebody else's.

    ``answer`` is whether the load balancer answers the route itself.
    """

    arn: str
    route: str | None = None
    cluster: str | None = None
    answer: bool = False

    def __str__(self) -> str:
        if self.route is None:
            return f"the rule {self.arn}, which this stack has not made,"
        if self.answer:
            return f"the rule of {self.route}"
        return f"the {f'preview rule for {self.cluster}' if self.cluster else 'weighted rule'} of {self.route}"


def mistakes(settings: Settings, places: Mapping[tuple[str, int], Place]) -> Iterator[Mistake]:
    """Yield the rules of the stack file whose places on a listener others hold until an update is through."""
    for name, route in settings.matched.items():
        balancer, answer = settings.load_balancer_of(name), name in settings.answers
        for priority, cluster in _wanted(settings, name, balancer):
            there = places.get((balancer, priority))
            if there is None or (there.route, there.cluster, there.answer) == (name, cluster, answer):
                continue
            if there.route is None:
                yield Mistake(
                    "CUT313",
                    f"routes.{name}.priority",
                    f"{there} stands at place {priority} of load balancer {balancer}, where the "
                    f"{f'preview rule for {cluster}' if cluster else 'weighted rule'} belongs. ELB would refuse it "
                    "(PriorityInUse). Give that rule another place (aws elbv2 set-rule-priorities), or this route "
                    "another priority",
                )
                continue
            if there.route == name and there.answer is not answer:
                yield Mistake(
                    "CUT319",
                    f"routes.{name}",
                    f"its place is that of {there}, of another kind, until this update is through, and ELB has none "
                    "for two rules (PriorityInUse). The update would stop halfway. Give it another name and priority, "
                    "or take the old one out in an update of its own first",
                )
                break
            if there.route == name:
                yield Mistake(
                    "CUT314",
                    f"clusters.{cluster}",
                    f"the place of its preview rule of {name} is that of {there.cluster} until this update is through, "
                    "and ELB has none for two rules (PriorityInUse). The update would stop halfway. Take "
                    f"{there.cluster} away in an update of its own first",
                )
                continue
            yield Mistake(
                "CUT315",
                f"routes.{name}.priority",
                f"{route.priority} is the place of {there.route} until this update is through, and ELB has none for "
                "two rules (PriorityInUse). The update would stop halfway. Only the order counts: write "
                f"{_in_order(settings, places, balancer)[name]}",
            )
            break


def _wanted(settings: Settings, name: str, balancer: str) -> list[tuple[int, str | None]]:
    """Return the places that a route wants, and of which cluster each is a preview's."""
    on_it, route = settings.load_balancers[balancer].places, settings.matched[name]
    weighted = (on_it.weighted(route.priority), None)
    if name not in settings.routes:
        return [weighted]
    previews = [(on_it.preview(route.priority, key), key) for key in settings.clusters]
    return [*previews, *([weighted] if settings.routes[name].live else [])]


def _in_order(settings: Settings, places: Mapping[tuple[str, int], Place], balancer: str) -> dict[str, int]:
    """Return priorities for a load balancer's routes, in the wanted order, that all are free or their own already."""
    now: dict[str, int] = {}
    taken: set[int] = set()
    on_it = settings.load_balancers[balancer].places
    for (where, priority), place in places.items():
        if where == balancer and on_it.first <= priority <= on_it.last:
            taken.add(on_it.route_priority(priority))
            if place.route:
                now[place.route] = on_it.route_priority(priority)
    found: dict[str, int] = {}
    last = 0
    for name in sorted(settings.matched, key=lambda name: settings.matched[name].priority):
        if settings.load_balancer_of(name) == balancer:
            own = now.get(name, 0)
            last = own if own > last else next(free for free in count(last + 1) if free not in taken)
            found[name] = last
    return found
