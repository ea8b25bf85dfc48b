"""What an ALB decides: which rule takes a request, which target group and target get it, and when a target is healthy.

Pure functions over what DescribeRules and DescribeTargetGroups answer. Refuses to own sockets, clocks and chance: times
and random numbers are arguments.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from multidict import MultiMapping

    from rehearsal.cloud.targets import Target

STICKY_COOKIE = "AWSALBTG"

CALLBACK = "/oauth2/idpresponse"
SESSION = "rehearsal-session"
"""What the cookie of a session begins with; who the user is stands behind it. Whoever has one has logged in."""

_WILDCARD = re.compile(r"\\[*?]|\*|\?")
_AFTER_ALL_OTHERS = 50_001
_GRPC_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
_UNKNOWN = 2


@dataclass(frozen=True)
class Request:
    """What conditions look at. ``host`` has no port, and ``headers`` are found whatever their case."""

    host: str
    path: str
    headers: MultiMapping[str]
    query: MultiMapping[str]
    method: str
    source: str


@dataclass(frozen=True)
class Forward:
    """Send to one of ``groups``, (ARN, weight); ``sticky`` is for how many seconds a client stays, None for not."""

    groups: tuple[tuple[str, int], ...]
    sticky: int | None = None


@dataclass(frozen=True)
class FixedResponse:
    """Answer without a target."""

    status: int
    content_type: str = "text/plain"
    body: str = ""


@dataclass(frozen=True)
class Redirect:
    """Answer with another place; its parts may hold ``#{host}`` and the like."""

    status: int
    protocol: str
    host: str
    port: str
    path: str
    query: str

    def location(self, protocol: str, port: int, request: Request) -> str:
        """Return where the client shall go, as ALB writes it, the port always said."""
        query = "&".join(f"{key}={value}" for key, value in request.query.items())
        known = {
            "#{protocol}": protocol.lower(),
            "#{host}": request.host,
            "#{port}": str(port),
            "#{path}": request.path.lstrip("/"),
            "#{query}": query,
        }

        def filled(part: str) -> str:
            return re.sub(r"#\{\w+\}", lambda found: known[found[0]], part)

        asked = filled(self.query)
        place = f"{filled(self.protocol).lower()}://{filled(self.host)}:{filled(self.port)}{filled(self.path)}"
        return f"{place}?{asked}" if asked else place


@dataclass(frozen=True)
class Login:
    """What becomes of a request without a session, before anything else of a rule is done.

    ``otherwise`` is "authenticate", "deny" or "allow"; ``cookie`` is the name of the session's cookie, without the
    number of its part that ELB adds.
    """

    endpoint: str
    client: str
    scope: str
    cookie: str
    otherwise: str

    @property
    def keeps_out(self) -> bool:
        """Whether nobody is let in without a session."""
        return self.otherwise != "allow"

    @property
    def status(self) -> int:
        """The status that answers who is kept out."""
        return 401 if self.otherwise == "deny" else 302

    def place(self, host: str, state: str) -> str:
        """Return where a browser is led to log in, from where it is to come back."""
        asked = {
            "client_id": self.client,
            "redirect_uri": f"https://{host}{CALLBACK}",
            "response_type": "code",
            "scope": self.scope,
            "state": state,
        }
        return f"{self.endpoint}?{urlencode(asked)}"


@dataclass(frozen=True)
class Rule:
    """A listener rule. All of its conditions must hold; the default rule has none and comes last."""

    arn: str
    priority: int
    conditions: tuple[Callable[[Request], bool], ...]
    action: Forward | FixedResponse | Redirect
    login: Login | None = None


@dataclass(frozen=True)
class HealthCheck:
    """How targets of a group are asked; ``interval`` and ``timeout`` in seconds, ``port`` None for the target's own."""

    path: str
    matcher: str
    interval: float
    timeout: float
    healthy_threshold: int
    unhealthy_threshold: int
    port: int | None = None
    enabled: bool = True


@dataclass(frozen=True)
class TargetGroup:
    """A target group as the load balancer uses it."""

    arn: str
    grpc: bool
    check: HealthCheck


@dataclass(frozen=True)
class Health:
    """A target's state, and how many checks in a row passed, or failed where ``streak`` is negative."""

    state: str = "initial"
    streak: int = 0

    def after(self, check: HealthCheck, *, passed: bool) -> Health:
        """Return the health after one more check.

        A new target is healthy after its first pass; afterwards, and for the way down, the thresholds count. That a new
        target that fails waits for the unhealthy threshold too is not documented by AWS.
        """
        streak = max(self.streak, 0) + 1 if passed else min(self.streak, 0) - 1
        if passed and (self.state == "initial" or streak >= check.healthy_threshold):
            return Health("healthy", streak)
        if not passed and -streak >= check.unhealthy_threshold:
            return Health("unhealthy", streak)
        return Health(self.state, streak)


def rules(described: Iterable[dict[str, Any]]) -> tuple[Rule, ...]:
    """Return the rules that DescribeRules tells, in the order in which the listener asks them.

    Raises ValueError for a condition or an action that is not emulated, rather than to pass it by.
    """
    parsed = (
        Rule(
            rule["RuleArn"],
            _AFTER_ALL_OTHERS if rule["Priority"] == "default" else int(rule["Priority"]),
            tuple(_condition(condition) for condition in rule["Conditions"]),
            _action(rule["Actions"][-1]),
            next(map(_login, rule["Actions"][:-1]), None),  # what comes before the last action authenticates
        )
        for rule in described
    )
    return tuple(sorted(parsed, key=lambda rule: rule.priority))


def target_group(described: dict[str, Any]) -> TargetGroup:
    """Return a target group that DescribeTargetGroups tells."""
    grpc = described.get("ProtocolVersion") == "GRPC"
    port = described["HealthCheckPort"]
    matcher = described.get("Matcher", {})
    check = HealthCheck(
        path=described.get("HealthCheckPath") or ("/AWS.ALB/healthcheck" if grpc else "/"),
        matcher=matcher.get("GrpcCode", "12") if grpc else matcher.get("HttpCode", "200"),
        interval=described["HealthCheckIntervalSeconds"],
        timeout=described["HealthCheckTimeoutSeconds"],
        healthy_threshold=described["HealthyThresholdCount"],
        unhealthy_threshold=described["UnhealthyThresholdCount"],
        port=None if port == "traffic-port" else int(port),
        enabled=described.get("HealthCheckEnabled", True),
    )
    return TargetGroup(described["TargetGroupArn"], grpc, check)


def rule_for(request: Request, ordered: Sequence[Rule]) -> Rule:
    """Return the first rule whose conditions all hold; a listener's default rule has none."""
    return next(rule for rule in ordered if all(condition(request) for condition in rule.conditions))


def group_for(forward: Forward, chance: float, cookie: str | None = None, now: float = 0.0) -> str | None:
    """Return the ARN of the target group that gets a request; ``chance`` is in [0, 1).

    A sticky cookie beats the weights until it expires, towards a group of weight 0 or without targets too, as long as
    the rule still names the group. Weight 0 never gets a request otherwise. What ALB does when all weights are 0 is
    undocumented: here it is None, an answer of 503.
    """
    if forward.sticky and cookie:
        stuck = _group_of(cookie, now)
        if any(stuck == arn for arn, _ in forward.groups):
            return stuck
    point = chance * sum(weight for _, weight in forward.groups)
    for arn, weight in forward.groups:
        if point < weight:
            return arn
        point -= weight
    return None


def user_of(login: Login, cookies: Mapping[str, str]) -> str | None:
    """Return who has logged in, by the cookies of a request; None where nobody has."""
    session = cookies.get(f"{login.cookie}-0", "")
    return session.removeprefix(f"{SESSION}-") if session.startswith(f"{SESSION}-") else None


def sticky_cookie(group: str, until: float) -> str:
    """Return the value of a cookie that keeps a client at a group; ``until`` is an epoch second."""
    return base64.urlsafe_b64encode(json.dumps([group, until]).encode()).decode()


def serving(targets: Iterable[Target]) -> list[Target]:
    """Return the targets that new requests go to: the healthy ones, or all that are registered where none is healthy.

    A draining target gets no new request. Nothing registered means an answer of 503.
    """
    registered = [target for target in targets if target.state != "draining"]
    return [target for target in registered if target.state == "healthy"] or registered


def matches(matcher: str, code: int) -> bool:
    """Tell whether a code is among those that a health check accepts: ``200``, ``200,302`` or ``0-99``."""
    for part in matcher.split(","):
        low, _, high = part.partition("-")
        if int(low) <= code <= int(high or low):
            return True
    return False


def grpc_code(status: int) -> int:
    """Return the code that a gRPC client reads from an HTTP answer without one (http-grpc-status-mapping.md)."""
    return _GRPC_OF_HTTP.get(status, _UNKNOWN)


def _condition(described: dict[str, Any]) -> Callable[[Request], bool]:
    field = described["Field"]
    match field:
        case "host-header":
            hosts = _any_of(_values(described, "HostHeaderConfig"), re.IGNORECASE)
            return lambda request: hosts(request.host)
        case "path-pattern":
            paths = _any_of(_values(described, "PathPatternConfig"))
            return lambda request: paths(request.path)
        case "http-header":
            name = described["HttpHeaderConfig"]["HttpHeaderName"]
            wanted = _any_of(_values(described, "HttpHeaderConfig"), re.IGNORECASE)
            return lambda request: any(wanted(value) for value in request.headers.getall(name, ()))
        case "http-request-method":
            methods = frozenset(_values(described, "HttpRequestMethodConfig"))
            return lambda request: request.method in methods
        case "source-ip":
            networks = [ipaddress.ip_network(value) for value in _values(described, "SourceIpConfig")]
            return lambda request: any(ipaddress.ip_address(request.source) in network for network in networks)
        case "query-string":
            return _query(described["QueryStringConfig"]["Values"])
        case _:
            raise ValueError(f"the emulated load balancer knows no condition on {field}")


def _query(values: list[dict[str, str]]) -> Callable[[Request], bool]:
    pairs = [
        (_any_of((pair.get("Key") or "*",), re.IGNORECASE), _any_of((pair["Value"],), re.IGNORECASE)) for pair in values
    ]
    return lambda request: any(
        key(name) and value(said) for name, said in request.query.items() for key, value in pairs
    )


def _values(described: dict[str, Any], config: str) -> Sequence[str]:
    # The API still answers with the older form where a rule was made in it.
    return described.get(config, {}).get("Values") or described["Values"]


def _any_of(patterns: Iterable[str], flags: int = 0) -> Callable[[str], bool]:
    compiled = re.compile("|".join(f"(?:{_regex(pattern)})" for pattern in patterns), flags | re.DOTALL)
    return lambda value: compiled.fullmatch(value) is not None


def _regex(pattern: str) -> str:
    found: list[str] = []
    at = 0
    for wildcard in _WILDCARD.finditer(pattern):
        found.append(re.escape(pattern[at : wildcard.start()]))
        found.append({"*": ".*", "?": "."}.get(wildcard[0]) or re.escape(wildcard[0][1]))
        at = wildcard.end()
    return "".join([*found, re.escape(pattern[at:])])


def _login(described: dict[str, Any]) -> Login:
    oidc = described["Type"] == "authenticate-oidc"
    config = described["AuthenticateOidcConfig" if oidc else "AuthenticateCognitoConfig"]
    return Login(
        config["AuthorizationEndpoint"] if oidc else _hosted(config["UserPoolArn"], config["UserPoolDomain"]),
        config["ClientId" if oidc else "UserPoolClientId"],
        config["Scope"],
        config["SessionCookieName"],
        config["OnUnauthenticatedRequest"],
    )


def _hosted(pool: str, domain: str) -> str:
    """Return where the users of a pool log in: at a name of its own, or at Cognito's."""
    name = domain if "." in domain else f"{domain}.auth.{pool.split(':')[3]}.amazoncognito.com"
    return f"https://{name}/oauth2/authorize"


def _action(described: dict[str, Any]) -> Forward | FixedResponse | Redirect:
    match described["Type"]:
        case "forward":
            config = described.get("ForwardConfig", {})
            groups = config.get("TargetGroups") or [{"TargetGroupArn": described["TargetGroupArn"]}]
            sticky = config.get("TargetGroupStickinessConfig", {})
            return Forward(
                tuple((group["TargetGroupArn"], int(group.get("Weight", 1))) for group in groups),
                int(sticky["DurationSeconds"]) if sticky.get("Enabled") else None,
            )
        case "fixed-response":
            config = described["FixedResponseConfig"]
            return FixedResponse(
                int(config["StatusCode"]), config.get("ContentType", "text/plain"), config.get("MessageBody", "")
            )
        case "redirect":
            config = described["RedirectConfig"]
            return Redirect(
                int(config["StatusCode"].removeprefix("HTTP_")),
                config.get("Protocol", "#{protocol}"),
                config.get("Host", "#{host}"),
                config.get("Port", "#{port}"),
                config.get("Path", "/#{path}"),
                config.get("Query", "#{query}"),
            )
        case other:
            raise ValueError(f"the emulated load balancer knows no action {other}")


def _group_of(cookie: str, now: float) -> str | None:
    try:
        group, until = json.loads(base64.urlsafe_b64decode(cookie))
        return group if float(until) > now else None
    except (ValueError, TypeError):  # a cookie that somebody else wrote
        return None
