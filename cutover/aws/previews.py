"""Requests through preview rules: what one cluster answers, whatever the weights say, from where the command runs.

Owns that the cluster that is meant is the one that is asked: where the preview rule in AWS would not take a request,
the weighted rule would, and another cluster would answer. Refuses to judge answers (rules/probes.py, preflight.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, ip_address
from typing import TYPE_CHECKING, Any

import urllib3

from cutover.aws import grpc_health
from cutover.aws.listeners import forwarded
from cutover.calls import at_once, client, pages, told, waiting
from cutover.rules.facts import Answer
from cutover.rules.giver import listener_of
from cutover.rules.verdict import Unread
from cutover.web import TIMEOUT_SECONDS, address_towards, connections, reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import boto3

    from cutover.rules.account import Account
    from settings.matching import Matching
    from settings.probes import Probe
    from settings.routes import Route

GRPC_PORT = "443"
"""Where a load balancer of the stack takes gRPC: of an HTTPS listener alone."""

_AT_ONCE = 20
_OF_A_LOGIN = (302, 401)  # which the load balancer answers whom it does not know
_AWAY = "Run this where the load balancer can be reached"


@dataclass(frozen=True)
class _Door:
    """Where a route is asked: the name that AWS gave the load balancer, and whom the preview rule lets in.

    ``port`` is empty on a load balancer of the stack; ``public`` is whether clients come there from the internet.
    """

    dns_name: str
    port: str
    https: bool
    sources: Sequence[str]
    public: bool


class Previews:
    """Asks through the preview rules of a cluster. Its client is made at once: a session must not make it later."""

    def __init__(self, aws: boto3.Session, account: Account, key: str) -> None:
        self._account, self._settings, self._key = account, account.settings, key
        self._elb: Any = client(aws, "elbv2")

    def answers(self) -> Sequence[Answer]:
        """Ask the probes of every route, and a route without any once, for its health check."""
        return self._asked(
            (name, probe) for name, one in self._settings.routes.items() for probe in one.probes or [None]
        )

    def probes(self, routes: Iterable[str]) -> Sequence[Answer]:
        """Ask the probes of some routes."""
        return self._asked((name, probe) for name in routes for probe in self._settings.routes[name].probes)

    def _asked(self, every: Iterable[tuple[str, Probe | None]]) -> Sequence[Answer]:
        wanted = list(every)
        names = list(dict.fromkeys(name for name, _ in wanted))
        doors = self._doors(names)
        return at_once(lambda one: self._ask(*one, doors[one[0]]), wanted, _AT_ONCE)

    def _doors(self, routes: Sequence[str]) -> dict[str, _Door | Unread]:
        """Return where each route is asked, with what is read of each load balancer once: ELB refills ten a second."""
        groups = {name: arn for name in routes if (arn := self._account.found.group_of(name, self._key))}
        try:
            described = self._elb.describe_target_groups(TargetGroupArns=[*groups.values()]) if groups else {}
            attached = [one for one in described.get("TargetGroups", ()) if one["LoadBalancerArns"]]
            on: dict[str, str] = {one["TargetGroupArn"]: one["LoadBalancerArns"][0] for one in attached}
            every = list(dict.fromkeys(on.values()))
            balancers = dict(zip(every, at_once(self._balancer, every, _AT_ONCE), strict=True))
        except Exception as error:
            return dict.fromkeys(routes, Unread(told(error)))
        nowhere = Unread(f"no rule forwards to a target group of it in {self._key}", "Bring the stack up: pulumi up")
        return {
            name: self._door(name, groups[name], *balancers[on[groups[name]]]) if groups.get(name) in on else nowhere
            for name in routes
        }

    def _balancer(self, arn: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return a load balancer and the rules of all its listeners, as ELB describes them."""
        (described,) = self._elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        listeners = pages(self._elb, "describe_listeners", "Listeners", LoadBalancerArn=arn)
        rules = [pages(self._elb, "describe_rules", "Rules", ListenerArn=one["ListenerArn"]) for one in listeners]
        return described, [rule for listed in rules for rule in listed]

    def _door(
        self, route: str, group: str, described: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]
    ) -> _Door | Unread:
        preview = next((one for one in rules if self._takes(one) and forwarded(one["Actions"]).keys() == {group}), None)
        if preview is None:
            return Unread(
                f"no preview rule there takes {self._settings.preview.header}: {self._shown}, so another cluster would "
                "answer",
                "Compare preview in the stack file with what is up: pulumi up",
            )
        theirs = listener_of(self._settings, self._account.found, route)
        own = self._settings.load_balancers[self._settings.load_balancer_of(route)]
        sources = (one.get("SourceIpConfig", {}) for one in preview["Conditions"])
        return _Door(
            dns_name=described["DNSName"],
            port=f":{theirs.port}" if theirs else "",
            https=theirs.protocol == "HTTPS" if theirs else own.https,
            sources=[cidr for one in sources for cidr in one.get("Values", ())],
            public=described.get("Scheme") == "internet-facing",
        )

    def _takes(self, rule: Mapping[str, Any]) -> bool:
        """Tell whether a rule asks for the header that is sent."""
        asks = [one["HttpHeaderConfig"] for one in rule.get("Conditions", ()) if "HttpHeaderConfig" in one]
        header = self._settings.preview.header.lower()
        return any(one["HttpHeaderName"].lower() == header and self._value in one["Values"] for one in asks)

    @property
    def _value(self) -> str:
        secret = self._settings.preview.secret
        return f"{self._key}.{secret.get_secret_value()}" if secret else self._key

    @property
    def _shown(self) -> str:
        return f"{self._key}.SECRET" if self._settings.preview.secret else self._key

    def _ask(self, route: str, probe: Probe | None, door: _Door | Unread) -> Answer:
        wanted = self._settings.routes[route]
        names = self._settings.load_balancers[self._settings.load_balancer_of(route)].names
        grpc, header = wanted.protocol_version == "GRPC", self._settings.preview.header
        host, path = probed_of(wanted, probe, names) if probe else asked_of(wanted, names)
        if grpc and probe is None:
            cure = f"Ask yourself: grpcurl -H '{header}: {self._shown}' {host}:443 list, or give the route probes"
            return Answer(route, f"grpc://{host}{path}", Unread("nothing tells what it answers", cure))
        if not grpc and not wanted.harmless:
            cure = f"Ask yourself, with a request that does no harm and the header {header}: {self._shown}"
            why = f"it takes {', '.join(wanted.methods)} alone, which may change data"
            return Answer(route, path, Unread(why, cure))
        if isinstance(door, Unread):
            return Answer(route, f"{'grpc://' if grpc else ''}{host}{path}", door, probe=probe)
        headers = {**wanted.sent, header: self._value}
        answer = _health(door, host, headers, probe) if grpc and probe else _http(door, host, path, headers, wanted)
        status = _beyond_the_login(wanted, answer.status, f"{header}: {self._shown}")
        kept = Answer(route, answer.asked, status, answer.untrusted, probe, answer.method)
        doubt = None if isinstance(status, Unread) else _doubt(door)
        return kept if doubt is None else Answer(route, answer.asked, doubt, probe=probe, method=answer.method)


def _http(door: _Door, host: str, path: str, headers: Mapping[str, str], route: Route) -> Answer:
    scheme, named = "https" if door.https else "http", host or door.dns_name
    asked, url = f"{scheme}://{named}{door.port}{path}", f"{scheme}://{door.dns_name}{door.port}{path}"
    # The certificate is that of the host, and not of the load balancer's own name.
    tls = {"server_hostname": named, "assert_hostname": host or False} if door.https else {}
    method = route.harmless
    try:
        with waiting(asked):
            answer = connections(url, **tls).request(
                method, url, headers={**headers, "Host": named}, redirect=False, retries=False
            )
    except urllib3.exceptions.SSLError as error:
        return Answer("", asked, Unread(reason(error)), untrusted=True, method=method)
    except urllib3.exceptions.ReadTimeoutError:
        return Answer("", asked, f"nothing for {TIMEOUT_SECONDS} s", method=method)
    except Exception as error:
        return Answer("", asked, Unread(told(error), _AWAY), method=method)
    return Answer("", asked, answer.status, method=method)


def _health(door: _Door, host: str, headers: Mapping[str, str], probe: Probe) -> Answer:
    named = host or door.dns_name
    asked = f"grpc://{named}/{probe.service or ''}"
    with waiting(asked):
        status = grpc_health.ask(f"{door.dns_name}{door.port or f':{GRPC_PORT}'}", named, headers, probe.service or "")
    return Answer("", asked, Unread(status.why, _AWAY) if isinstance(status, grpc_health.Away) else status)


def _beyond_the_login(route: Route, status: int | str | Unread, header: str) -> int | str | Unread:
    """Return what a cluster has answered, or why none has: the load balancer asks first who that is."""
    if not (route.authenticate and route.authenticate.keeps_out and status in _OF_A_LOGIN):
        return status
    cure = f"Look with a browser that has logged in, and with the header {header}"
    return Unread(f"answered with {status} by the login, not by a cluster", cure)


def _doubt(door: _Door) -> Unread | None:
    """Return why it is not known that the preview rule has let this machine in; where it did not, another answered."""
    if not door.sources:
        return None
    here, lets = address_towards(door.dns_name), ", ".join(door.sources)
    if here and any(ip_address(here) in IPv4Network(one) for one in door.sources if ":" not in one):
        return None
    if here and not (door.public and ip_address(here).is_private):
        return Unread(f"its preview rule lets in {lets}, and this machine asks from {here}", "Ask from there")
    return Unread(
        f"its preview rule lets in {lets}, and by which address this machine comes there is not known: another cluster "
        "may have answered",
        "Ask from a machine with an address in there, or let preview.secret take the place of preview.sourceCidrs",
    )


def asked_of(route: Route, names: Sequence[str]) -> tuple[str, str]:
    """Return a host (empty: any) and a path with query that a route serves; ``names`` are of its load balancer."""
    host = next(iter(route.hosts or names), "").replace("*", "preview").replace("?", "x")
    check, query = route.health_check.path, ""
    for one in route.query[:1]:
        query = f"{one.key or 'preview'}={one.value}".replace("*", "").replace("?", "x")
    if route.paths and not any(fnmatchcase(check, path) for path in route.paths):
        check = route.paths[0].replace("*", "").replace("?", "x")
    return host, f"{check}{'&' if '?' in check else '?'}{query}" if query else check


def probed_of(route: Matching, probe: Probe, names: Sequence[str]) -> tuple[str, str]:
    """Return the host (empty: any) and the path with query of a probe."""
    return probe.host_of(route, tuple(names)) or "", probe.path or ""
