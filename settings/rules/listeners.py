"""What is wrong between the keys of a listener that somebody else made, and between it and its routes: places, ARNs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.priorities import PLACES_PER_ROUTE
from settings.rules.mistake import Mistake, alike, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.listeners import ExistingLoadBalancer
    from settings.models import Settings


@as_far_as_known
def listener_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what is wrong with each listener that was made elsewhere, and listeners that stand there twice."""
    for key, balancer in settings.elsewhere.items():
        yield from _mistakes_of_places(settings, key, balancer)
        yield from _mistakes_of_arn(settings, key, balancer)
    for key, first in alike({key: one.existing.name for key, one in settings.elsewhere.items()}):
        yield Mistake(
            "CUT266",
            f"loadBalancers.{key}.existing",
            f"its load balancer is that of {first}. Rules are found by the load balancer's name, and nothing would "
            "tell the two apart. Keep one of them, and put the routes of both there",
        )


@as_far_as_known
def _mistakes_of_places(settings: Settings, key: str, balancer: ExistingLoadBalancer) -> Iterator[Mistake]:
    places, where = balancer.places, f"loadBalancers.{key}.rulePriorities"
    count = places.last - places.first + 1
    if count < PLACES_PER_ROUTE:
        yield Mistake(
            "CUT267",
            where,
            f"{places.first} to {places.last} {'is' if count == 1 else 'are'} {max(count, 0)} "
            f"place{'' if count == 1 else 's'}, and a route has {PLACES_PER_ROUTE}: 40 of preview rules, so that none "
            "of them ever moves, and that of its weighted rule. No route would fit. Write a max of at least "
            f"{places.first + PLACES_PER_ROUTE - 1}",
        )
        return
    for name, route in settings.routes.items():
        if settings.load_balancer_of(name) == key and route.priority > places.routes:
            yield Mistake(
                "CUT268",
                f"routes.{name}.priority",
                f"{route.priority}, and loadBalancers.{key}.rulePriorities has places for {places.routes} "
                f"route{'' if places.routes == 1 else 's'} ({count} places, {PLACES_PER_ROUTE} a route). Its rules "
                f"would lie among others'. Write a priority up to {places.routes}, or a max of at least "
                f"{places.first + PLACES_PER_ROUTE * route.priority - 1}",
            )


@as_far_as_known
def _mistakes_of_arn(settings: Settings, key: str, balancer: ExistingLoadBalancer) -> Iterator[Mistake]:
    arn = getattr(balancer.existing, "listener_arn", "")
    if arn and arn.split(":")[3] != settings.aws.region:
        yield Mistake(
            "CUT269",
            f"loadBalancers.{key}.existing.listenerArn",
            f"{arn} does not lie in {settings.aws.region}, where the stack is. ELB would find no such listener. Give "
            "the ARN of one there, or set aws:region",
        )
