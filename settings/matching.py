"""Which requests a rule takes: hosts and paths, and what narrows them. What each key takes, and its place in the order.

Refuses to own what is done with the requests (routes.py, answers.py), and how patterns meet (conditions.py).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.load_balancers import LoadBalancerName
from settings.priorities import MAX_ROUTE_PRIORITY
from settings.values import Cidr, Model, Several, rule, text, whole

HEALTH_METHOD = "/grpc.health.v1.Health/Check"
"""The method of gRPC's health protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md."""

HostPattern = Annotated[
    str,
    rule(
        "CUT136",
        text(r"(?=.{1,128}$)[A-Za-z0-9.*?-]*\.[A-Za-z]+"),
        "a host condition is at most 128 letters, digits, dots, hyphens, * and ?, with only letters after the last "
        "dot. ELB would refuse the rule. Write e.g. app.example.com or *.example.com",
    ),
]

PathPattern = Annotated[
    str,
    rule(
        "CUT137",
        text(r"/[A-Za-z0-9_.$/~\"'@:+*?&-]{0,127}"),
        "a path condition begins with / and has at most 128 characters of those that ELB takes. ELB would refuse the "
        "rule. Write e.g. /* or /api/*",
    ),
]

HeaderName = Annotated[
    str,
    rule(
        "CUT199",
        text(r"[0-9A-Za-z_!#$%&'*+,.^`|~-]{1,40}"),
        "a header's name is at most 40 characters that HTTP takes there. ELB would refuse the rule. Write e.g. "
        "X-Canary, without a colon",
    ),
]

ConditionText = Annotated[
    str,
    rule(
        "CUT258",
        text(r"[ -~]{1,128}"),
        "a value of a header or a query here is text of 1 to 128 characters, * and ? allowed. ELB would refuse the "
        "rule. Write e.g. beta*, and a number in quotes",
    ),
]

Method = Annotated[
    str,
    rule(
        "CUT259",
        text(r"[A-Z_-]{1,40}"),
        "a method is at most 40 capital letters. ELB would refuse the rule, or never find one such. Write e.g. POST",
    ),
]

RoutePriority = Annotated[
    int,
    rule(
        "CUT165",
        whole(1, MAX_ROUTE_PRIORITY),
        f"a priority is a whole number from 1 to {MAX_ROUTE_PRIORITY}. There is no room for its rules on the listener. "
        "Write its place in the order of the routes, 1 first",
    ),
]


class Query(Model):
    """A part of the query of a request."""

    key: ConditionText | None = Field(default=None, description="its key, * and ? allowed; left out: any")
    value: ConditionText = Field(description="its value, * and ? allowed")


class Matching(Model):
    """Requests on a load balancer. All that is written must hold; of several values of a kind any one."""

    load_balancer: LoadBalancerName | None = Field(
        default=None, description="which load balancer; left out where there is one"
    )
    priority: RoutePriority = Field(description="the order among routes, 1 first")
    hosts: Several[HostPattern] = Field(default=(), description="host names, * and ? allowed")
    paths: Several[PathPattern] = Field(default=(), description="paths, * and ? allowed")
    headers: dict[HeaderName, Annotated[Several[ConditionText], Field(min_length=1)]] = Field(
        default={}, description="values of headers, * and ? allowed; each header that is named must have one of its"
    )
    methods: Several[Method] = Field(default=(), description="methods, such as GET")
    query: Several[Query] = Field(default=(), description="parts of the query, any one of which is enough")
    source_cidrs: Several[Cidr] = Field(
        default=(), description="ranges of clients; behind a proxy it is the proxy that counts"
    )

    @property
    def sent(self) -> dict[str, str]:
        """Headers that a request has which it takes: of each that is asked for, one value."""
        return {name: values[0].replace("*", "").replace("?", "x") for name, values in self.headers.items()}

    @property
    def harmless(self) -> str:
        """A method that it takes and that changes no data; empty where it takes no such."""
        return next((one for one in ("GET", "HEAD") if one in (self.methods or ("GET",))), "")

    @property
    def narrows(self) -> frozenset[str]:
        """What it asks for beside hosts and paths, a text for each condition that must hold."""
        asked = [f"header {name.lower()} {sorted(values)}" for name, values in self.headers.items()]
        asked += [f"method {sorted(self.methods)}"] if self.methods else []
        asked += [f"query {sorted((one.key or '', one.value) for one in self.query)}"] if self.query else []
        asked += [f"source {sorted(self.source_cidrs)}"] if self.source_cidrs else []
        return frozenset(asked)

    @property
    def values(self) -> tuple[str, ...]:
        """The values of its conditions, of which ELB counts how many a rule has; ranges of clients are left out."""
        queries = [one.value if one.key is None else f"{one.key}={one.value}" for one in self.query]
        headers = [value for values in self.headers.values() for value in values]
        return (*self.hosts, *self.paths, *headers, *self.methods, *queries)
