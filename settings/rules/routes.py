"""What is wrong between the keys of a route, and between routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from settings.rules.mistake import Mistake, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.models import Settings
    from settings.operation import Preview
    from settings.routes import Route

MAX_CONDITION_VALUES = 5
MAX_WILDCARDS = 6


@as_far_as_known
def route_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what is wrong between the keys of each route, and between routes."""
    for name, route in settings.routes.items():
        where = f"routes.{name}"
        yield from _mistakes_of_route(settings, name, route)
        yield from _condition_mistakes(where, route, settings.preview)
        yield from _target_mistakes(where, route)


@as_far_as_known
def _mistakes_of_route(settings: Settings, name: str, route: Route) -> Iterator[Mistake]:
    where = f"routes.{name}"
    if route.load_balancer is None and len(settings.load_balancers) > 1:
        yield Mistake(
            "CUT225",
            f"{where}.loadBalancer",
            f"missing, and there are {', '.join(settings.load_balancers)}. It would land on the first of them. "
            "Name one",
        )
    balancer = settings.load_balancers.get(settings.load_balancer_of(name))
    if balancer is None:
        yield Mistake(
            "CUT226",
            f"{where}.loadBalancer",
            f"there is no load balancer {route.load_balancer} (there are {', '.join(settings.load_balancers)}). "
            "The route would have no listener. Correct the name",
        )
    elif route.protocol_version != "HTTP1" and not balancer.https:
        yield Mistake(
            "CUT227",
            f"{where}.protocolVersion",
            f"{route.protocol_version} wants HTTPS, and load balancer {settings.load_balancer_of(name)} has no "
            "certificate. ELB would refuse the rule. Give the load balancer names in a zone, or a certificateArn",
        )
    if not route.hosts and not route.paths:
        yield Mistake(
            "CUT228",
            where,
            "it has neither hosts nor paths. A rule without a condition does not exist. "
            'Write paths: ["/*"] for every request',
        )


@as_far_as_known
def _target_mistakes(where: str, route: Route) -> Iterator[Mistake]:
    if route.slow_start and route.algorithm != "round_robin":
        yield Mistake(
            "CUT229",
            f"{where}.slowStart",
            f"slow start and {route.algorithm} exclude each other. ELB would refuse the target group. "
            "Leave one of them out",
        )
    least, most = (0, 99) if route.protocol_version == "GRPC" else (200, 499)
    matcher = route.health_check.matcher
    if matcher and not all(least <= int(code) <= most for code in re.split("[,-]", matcher)):
        yield Mistake(
            "CUT230",
            f"{where}.healthCheck.matcher",
            f"{matcher} is not within {least} to {most}, the codes of {route.protocol_version}. ELB would refuse the "
            "target group. Correct it, or leave it out",
        )
    path = route.health_check.path
    if route.protocol_version == "GRPC" and not re.fullmatch("/[^/]+/[^/]+", f"{path}"):
        yield Mistake(
            "CUT231",
            f"{where}.healthCheck.path",
            f"{path} is no method. Over GRPC every target would answer 12 (unimplemented), and count as unhealthy. "
            "Write /PACKAGE.SERVICE/METHOD, such as /grpc.health.v1.Health/Check",
        )
    if route.health_check.timeout >= route.health_check.interval:
        yield Mistake(
            "CUT232",
            f"{where}.healthCheck.timeout",
            f"{route.health_check.timeout} s is not below the interval of {route.health_check.interval} s. ELB "
            "would refuse the target group. Shorten the timeout",
        )
    if route.target_type == "instance" and route.service.pod_port is not None:
        yield Mistake(
            "CUT233",
            f"{where}.service.podPort",
            "nodes are registered with their node port. What podPort says would be ignored without a word. Leave it "
            "out, or set targetType to ip",
        )


@as_far_as_known
def _condition_mistakes(where: str, route: Route, preview: Preview) -> Iterator[Mistake]:
    values = [*route.hosts, *route.paths]
    count = len(values) + 1 + len(preview.source_cidrs)
    if count > MAX_CONDITION_VALUES:
        yield Mistake(
            "CUT234",
            where,
            f"its preview rules would hold {count} condition values ({len(route.hosts)} hosts, {len(route.paths)} "
            f"paths, the preview header, {len(preview.source_cidrs)} source ranges), and a rule holds "
            f"{MAX_CONDITION_VALUES}. The update would stop halfway. Split the route, or use a wildcard",
        )
    wildcards = sum(value.count("*") + value.count("?") for value in values)
    if wildcards > MAX_WILDCARDS:
        yield Mistake(
            "CUT235",
            where,
            f"its hosts and paths hold {wildcards} wildcards, and a rule holds {MAX_WILDCARDS}. The update would stop "
            "halfway. Split the route",
        )
