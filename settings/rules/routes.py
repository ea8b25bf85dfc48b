"""What is wrong between the keys of a route, and between routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from settings.answers import Answer
from settings.conditions import narrowed
from settings.routes import Route
from settings.rules.mistake import Mistake, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.matching import Matching
    from settings.models import Settings
    from settings.operation import Preview

MAX_CONDITION_VALUES = 5
MAX_WILDCARDS = 6


@as_far_as_known
def route_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what is wrong between the keys of each route, and between routes."""
    for name, one in settings.matched.items():
        yield from _place_mistakes(settings, name, one)
        if isinstance(one, Answer):
            yield from _answer_mistakes(settings, name, one)
            yield from _condition_mistakes(f"routes.{name}", one, settings.preview)
        else:
            yield from _mistakes_of_route(settings, name, one)
            yield from _login_mistakes(settings, name, one)
            yield from _condition_mistakes(f"routes.{name}", one, settings.preview)
            yield from _target_mistakes(f"routes.{name}", one)
    yield from _session_mistakes(settings)


@as_far_as_known
def _place_mistakes(settings: Settings, name: str, route: Matching) -> Iterator[Mistake]:
    where = f"routes.{name}"
    if route.load_balancer is None and len(settings.load_balancers) > 1:
        yield Mistake(
            "CUT225",
            f"{where}.loadBalancer",
            f"missing, and there are {', '.join(settings.load_balancers)}. It would land on the first of them. "
            "Name one",
        )
    if settings.load_balancer_of(name) not in settings.load_balancers:
        yield Mistake(
            "CUT226",
            f"{where}.loadBalancer",
            f"there is no load balancer {route.load_balancer} (there are {', '.join(settings.load_balancers)}). "
            "The route would have no listener. Correct the name",
        )
    if not route.values and not route.source_cidrs:
        yield Mistake(
            "CUT228",
            where,
            "it has neither hosts nor paths. A rule without a condition does not exist. "
            'Write paths: ["/*"] for every request',
        )


@as_far_as_known
def _mistakes_of_route(settings: Settings, name: str, route: Route) -> Iterator[Mistake]:
    balancer = settings.load_balancers.get(settings.load_balancer_of(name))
    if balancer and route.protocol_version != "HTTP1" and not balancer.https:
        yield Mistake(
            "CUT227",
            f"routes.{name}.protocolVersion",
            f"{route.protocol_version} wants HTTPS, and load balancer {settings.load_balancer_of(name)} has no "
            "certificate. ELB would refuse the rule. Give the load balancer names in a zone, or a certificateArn",
        )


@as_far_as_known
def _login_mistakes(settings: Settings, name: str, route: Route) -> Iterator[Mistake]:
    if route.authenticate is None:
        return
    where, balancer = f"routes.{name}.authenticate", settings.load_balancer_of(name)
    if bool(route.authenticate.oidc) is bool(route.authenticate.cognito):
        both = "oidc and cognito exclude each other", "Keep"
        what, do = both if route.authenticate.oidc else ("it has neither oidc nor cognito", "Write")
        yield Mistake("CUT410", where, f"{what}. Nothing tells by whom a user is to be logged in. {do} one of them")
    if route.protocol_version != "HTTP1":
        yield Mistake(
            "CUT411",
            where,
            f"a route of {route.protocol_version} is forwarded and nothing else. ELB would refuse the rule, and the "
            "update would stop at it. Let the targets ask who a user is, or speak HTTP1 to them",
        )
    if balancer in settings.load_balancers and not settings.load_balancers[balancer].https:
        yield Mistake(
            "CUT412",
            where,
            f"a login wants HTTPS, and load balancer {balancer} has no certificate. ELB would refuse the rule, and the "
            "update would stop at it. Give the load balancer names in a zone, or a certificateArn",
        )


@as_far_as_known
def _session_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield routes of whose sessions one is as good as another, although they ask different people.

    ELB's user guide: each rule whose clients log in by themselves needs a cookie of its own name.
    """
    seen: dict[tuple[str, str], tuple[str, tuple[str, str]]] = {}
    for name, route in settings.routes.items():
        login = route.authenticate.login if route.authenticate else None
        if login is None:
            continue
        first, asks = seen.setdefault((settings.load_balancer_of(name), login.session_cookie_name), (name, login.asks))
        if asks != login.asks:
            yield Mistake(
                "CUT413",
                f"routes.{name}.authenticate",
                f"its session has the cookie {login.session_cookie_name}, as that of {first}, which asks somebody else "
                "who a user is. Whoever has logged in for one would be let in by the other. Give it a "
                "sessionCookieName of its own",
            )


@as_far_as_known
def _answer_mistakes(settings: Settings, name: str, answer: Answer) -> Iterator[Mistake]:
    where = f"routes.{name}"
    if bool(answer.redirect) is bool(answer.fixed_response):
        both = "redirect and fixedResponse" if answer.redirect else "redirect or fixedResponse without anything in it"
        yield Mistake(
            "CUT294",
            where,
            f"{both}. A rule answers in one way, and ELB would refuse {'both' if answer.redirect else 'none'}. Keep "
            f"one of them{'' if answer.redirect else ', and write what it is to do'}",
        )
    if answer.redirect and not answer.redirect.leads_on:
        yield Mistake(
            "CUT293",
            f"{where}.redirect",
            "it changes neither protocol, host, port, path nor query. The client would ask the same again, and ELB "
            "refuses a rule that leads in a circle. Write what is to be another",
        )
    if settings.load_balancer_of(name) in settings.elsewhere:
        yield Mistake(
            "CUT295",
            f"{where}.loadBalancer",
            f"the listener of {settings.load_balancer_of(name)} was made elsewhere. What it answers without a cluster "
            "is its owner's to say, and would stand among the owner's rules. Have the owner add it, or name a load "
            "balancer of the stack's own",
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
def _condition_mistakes(where: str, route: Route | Answer, preview: Preview) -> Iterator[Mistake]:
    values = route.values
    sources = narrowed(route.source_cidrs, preview.source_cidrs) if route.forwards else route.source_cidrs
    count = len(values) + len(sources) + route.forwards
    others = len(values) - len(route.hosts) - len(route.paths)
    if count > MAX_CONDITION_VALUES:
        more = f", {others} of headers, methods and queries" if others else ""
        more += ", the preview header" if route.forwards else ""
        yield Mistake(
            "CUT234",
            where,
            f"its {'preview rules' if route.forwards else 'rule'} would hold {count} condition values "
            f"({len(route.hosts)} hosts, {len(route.paths)} paths{more}, {len(sources)} source ranges), and a rule "
            f"holds {MAX_CONDITION_VALUES}. The update would stop halfway. Split the route, or use a wildcard",
        )
    if route.forwards and route.source_cidrs and preview.source_cidrs and not sources:
        yield Mistake(
            "CUT296",
            f"{where}.sourceCidrs",
            "none of its ranges meets one of preview.sourceCidrs. Nobody could preview it, and its preview rules would "
            "be without a source. Add the ranges of whoever previews to it, or leave it out",
        )
    if preview.header.lower() in {name.lower() for name in route.headers}:
        yield Mistake(
            "CUT297",
            f"{where}.headers",
            f"{preview.header} is the header that asks for one cluster (preview.header). The route would have those "
            "requests alone, or none. Choose another header for one of the two",
        )
    wildcards = sum(value.count("*") + value.count("?") for value in values)
    if wildcards > MAX_WILDCARDS:
        yield Mistake(
            "CUT235",
            where,
            f"its conditions hold {wildcards} wildcards, and a rule holds {MAX_WILDCARDS}. The update would stop "
            "halfway. Split the route",
        )
