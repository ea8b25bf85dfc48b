"""What the clients of a stack file ask for: one kind of request for each live route, and more where users log in.

Owns which request a route takes, and what must come in answer where no cluster may. Refuses to own sending (load.py).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from multidict import CIMultiDict, MultiDict

from rehearsal.world.alb import SESSION, Request, rule_for, rules
from rehearsal.world.balancer import SOURCE_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.play.stackfile import Config

_CALL = "/rehearsal.Echo/Call"
_NOT_FOUND: dict[str, Any] = {
    "RuleArn": "",
    "Priority": "default",
    "Conditions": [],
    "Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
}


@dataclass(frozen=True)
class Destination:
    """What one kind of client asks for. ``share`` tells how much of the load it is, against those of the others.

    ``balancer`` is the name of the load balancer in the stack file, for a ``host`` of which no record tells. Where the
    load balancer answers itself, ``expects`` is the status of its answer: so it does, too, who has not logged in.
    """

    route: str
    host: str
    path: str
    grpc: bool = False
    share: int = 1
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    balancer: str = ""
    method: str = "GET"
    expects: int = 0


def destinations(config: Config) -> list[Destination]:
    """Return one destination per live route of a stack file; for a gRPC call there are four HTTP requests.

    It asks for what the route answers, and none of those before it on the same load balancer. Where users log in it has
    a session, and there is another that has none.
    """
    balancers, routes = config["eks-cutover:loadBalancers"], config["eks-cutover:routes"]
    on = {name: route.get("loadBalancer") or next(iter(balancers)) for name, route in routes.items()}
    found: list[Destination] = []
    for name, route in routes.items():
        if not route.get("live", True):
            continue
        beside = {other: routes[other] for other in routes if on[other] == on[name] and routes[other].get("live", True)}
        listener = rules([*map(_described, beside, beside.values()), _NOT_FOUND])
        is_grpc, request = route.get("protocolVersion") == "GRPC", _request_of(route)
        expects = _status(route)
        names = balancers[on[name]].get("names", ())
        # A client by the load balancer's own name has it as its host; where no route asks for a host, any does.
        hosts = [_one(host) for host in [*route.get("hosts", ()), *names, f"{on[name]}.rehearsal"]]
        paths = [_CALL] * is_grpc + [_one(path) for path in route.get("paths", ("/*",))]
        asked = [(host, path) for host in hosts for path in paths]
        taken = (one for one in asked if rule_for(replace(request, host=one[0], path=one[1]), listener).arn == name)
        host, path = next(taken, asked[0])
        query = "&".join(f"{key}={value}" for key, value in request.query.items())
        to = Destination(
            route=name,
            host=host,
            path=f"{path}?{query}" if query else path,
            grpc=is_grpc,
            share=1 if is_grpc or expects else 4,
            headers={**request.headers, **({SOURCE_HEADER: request.source} if route.get("sourceCidrs") else {})},
            balancer=balancers[on[name]].get("existing", {}).get("name", on[name]),
            method=request.method,
            expects=expects,
        )
        cookie, stranger = _session(route)
        found.append(replace(to, headers={**to.headers, **cookie}))
        if stranger:
            found.append(replace(to, share=1, expects=stranger))
    return found


def _session(route: Mapping[str, Any]) -> tuple[dict[str, str], int]:
    """Return the header of who has logged in, where a route wants that, and the status for who has not, if it has one.

    Whoever has not logged in is led to log in, or refused, and never answered by a cluster.
    """
    login = next(iter(route.get("authenticate", {}).values()), None)
    if login is None:
        return {}, 0
    cookie = f"{login.get('sessionCookieName', 'AWSELBAuthSessionCookie')}-0={SESSION}-client"
    statuses = {"authenticate": 302, "deny": 401, "allow": 0}
    return {"Cookie": cookie}, statuses[login.get("onUnauthenticatedRequest", "authenticate")]


def _status(route: Mapping[str, Any]) -> int:
    """Return the status of what the load balancer answers itself, and 0 for a route to clusters."""
    answer = route.get("redirect") or route.get("fixedResponse")
    return int(answer.get("code", "301")) if answer else 0


def _described(name: str, route: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weighted rule of a route as AWS would describe it, but for its action."""
    fields = {
        "host-header": ("HostHeaderConfig", "hosts"),
        "path-pattern": ("PathPatternConfig", "paths"),
        "http-request-method": ("HttpRequestMethodConfig", "methods"),
        "source-ip": ("SourceIpConfig", "sourceCidrs"),
    }
    conditions: list[dict[str, Any]] = [
        {"Field": one, config: {"Values": list(route[key])}} for one, (config, key) in fields.items() if route.get(key)
    ]
    for header, values in route.get("headers", {}).items():
        conditions.append({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": header, "Values": values}})
    if query := route.get("query"):
        pairs = [{name.capitalize(): text for name, text in one.items()} for one in query]
        conditions.append({"Field": "query-string", "QueryStringConfig": {"Values": pairs}})
    return {**_NOT_FOUND, "RuleArn": name, "Priority": str(route["priority"]), "Conditions": conditions}


def _request_of(route: Mapping[str, Any]) -> Request:
    """Return a request that a route takes, but for its host and path."""
    headers = {name: _one(values[0]) for name, values in route.get("headers", {}).items()}
    query = {_one(one.get("key", "rehearsal")): _one(one["value"]) for one in route.get("query", ())[:1]}
    source = ipaddress.ip_network(route["sourceCidrs"][0])[0] if route.get("sourceCidrs") else "127.0.0.1"
    method = next(iter(route.get("methods", ())), "GET")
    return Request("", "", CIMultiDict(headers), MultiDict(query), method, str(source))


def _one(pattern: str) -> str:
    """Return something that a pattern with wildcards matches."""
    return pattern.replace("*", "rehearsal").replace("?", "x")
