"""`routes`: what each key takes, and what another value would cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from settings.answers import Answer
from settings.authentication import Authentication
from settings.kinds import WITH, WITHOUT, told_by
from settings.matching import Matching
from settings.probes import Probe
from settings.values import (
    ClusterKey,
    DnsLabel,
    Model,
    Port,
    Several,
    Weight,
    codes,
    edited,
    rule,
    seconds,
    text,
    whole,
)

_LONGEST_ROUTE = 32 - len("-v1-36-b-1234567")


RouteName = Annotated[
    str,
    rule(
        "CUT135",
        text(rf"(?=.{{1,{_LONGEST_ROUTE}}}$)(?!.*--)[a-z]([a-z0-9-]*[a-z0-9])?"),
        f"a route's name is at most {_LONGEST_ROUTE} lower-case letters, digits and single hyphens, and begins with a "
        "letter. AWS takes 32 characters for a target group; the cluster's key takes up to 8 of them, and auto-naming "
        "another 8, without which a replacement could not stand beside what it replaces. Write e.g. web",
    ),
]

Capacity = Annotated[
    int,
    rule(
        "CUT145",
        whole(1, 1000),
        "a capacity is a whole number of healthy targets from 1 to 1000. The gate could not tell what a share needs. "
        "Write what the route needs at its peak, or leave it out",
    ),
]

HealthCheckPath = Annotated[
    str,
    rule(
        "CUT157",
        text(r"/[!-~]{0,1023}"),
        "a health check's path begins with /, has no space and at most 1024 characters. ELB would refuse the target "
        "group. Write e.g. /healthz, or for GRPC /grpc.health.v1.Health/Check",
    ),
]

Matcher = Annotated[
    str,
    rule(
        "CUT158",
        codes,
        "this is no list of codes, or a range in it ends before it begins. ELB would refuse the target group. Write "
        'them in quotes, e.g. "200", "200,204" or "200-299"',
    ),
]

Interval = Annotated[int, seconds("CUT159", 5, 300, "a health check's interval", "e.g. 15")]

Timeout = Annotated[int, seconds("CUT160", 2, 120, "a health check's timeout", "e.g. 5")]

Threshold = Annotated[
    int, rule("CUT161", whole(2, 10), "a threshold is 2 to 10 checks. ELB would refuse it. Write e.g. 2")
]

DeregistrationDelay = Annotated[int, seconds("CUT162", 0, 3600, "a deregistration delay", "e.g. 300")]

StickinessDuration = Annotated[int, seconds("CUT163", 1, 604800, "stickiness", "e.g. 300, or leave stickiness out")]

SlowStart = Annotated[
    int,
    rule(
        "CUT164",
        lambda value: whole(0, 0)(value) or whole(30, 900)(value),
        "slow start is 0, or 30 to 900 seconds. ELB would refuse it. Write e.g. 30, or leave it out",
    ),
]


class Service(Model):
    """The Kubernetes Service behind a route."""

    namespace: DnsLabel = Field(
        description="its namespace",
        json_schema_extra=edited(
            "replaces the binding, which is refused while it serves; the old namespace stays in the clusters"
        ),
    )
    name: DnsLabel = Field(description="its name")
    port: Port = Field(description="its port")
    pod_port: Port | None = Field(
        default=None, description="the port of the pods, for targetType ip; left out: the Service's port"
    )

    @property
    def target_port(self) -> int:
        """The port on which a pod is reached."""
        return self.pod_port or self.port


class HealthCheck(Model):
    """How the load balancer finds out that a target is healthy."""

    path: HealthCheckPath = Field(description="the path, or for GRPC the method, that is asked")
    matcher: Matcher | None = Field(default=None, description='codes that count; left out: "200", for GRPC "0"')
    port: Port | None = Field(default=None, description="the port that is asked; left out: that of the target")
    protocol: Literal["HTTP", "HTTPS"] | None = Field(
        default=None, description="how it is asked; left out: as the targets are"
    )
    interval: Interval = Field(default=15, description="seconds between two checks, 5 to 300")
    timeout: Timeout = Field(default=5, description="seconds until a check has failed, 2 to 120, below the interval")
    healthy_threshold: Threshold = Field(default=2, description="checks that must pass, 2 to 10")
    unhealthy_threshold: Threshold = Field(default=2, description="checks that must fail, 2 to 10")


class Stickiness(Model):
    """Keeps a client at the cluster that it met first, against the weights, until the cookie ends."""

    duration: StickinessDuration = Field(
        description="seconds, 1 to 604800; an old cluster must stay that long after its weight reached 0"
    )


class Route(Matching):
    """Requests on a load balancer, and the Service behind them in every cluster."""

    target_type: Literal["instance", "ip"] = Field(
        description="register nodes (instance) or pods (ip); to change it, add a new route",
        json_schema_extra=edited("replaces its target groups, which is refused while they serve"),
    )
    protocol_version: Literal["HTTP1", "HTTP2", "GRPC"] = Field(
        default="HTTP1",
        description="what the targets speak; to change it, add a new route",
        json_schema_extra=edited("replaces its target groups, which is refused while they serve"),
    )
    protocol: Literal["HTTP", "HTTPS"] = Field(
        default="HTTP",
        description="how targets are spoken to; over HTTPS any certificate will do; to change it, add a new route",
        json_schema_extra=edited("replaces its target groups, which is refused while they serve"),
    )
    service: Service = Field(description="the Service behind it")
    health_check: HealthCheck = Field(description="its health check")
    authenticate: Authentication | None = Field(
        default=None,
        description="who must have logged in before a request is forwarded; left out: nobody",
        json_schema_extra=edited("applied in place; taken out, everybody is let in at once"),
    )
    deregistration_delay: DeregistrationDelay = Field(
        default=300, description="seconds that a leaving target may finish its requests, 0 to 3600"
    )
    slow_start: SlowStart = Field(default=0, description="seconds in which a new target's load grows; 0: off")
    algorithm: Literal["round_robin", "least_outstanding_requests", "weighted_random"] = Field(
        default="round_robin", description="how targets of one group share its load"
    )
    stickiness: Stickiness | None = Field(default=None, description="left out: off")
    capacity: Capacity | None = Field(
        default=None, description="healthy targets that the whole route needs; left out: what they have carried tells"
    )
    probes: Several[Probe] = Field(
        default=(),
        description="requests through its preview rule that a cluster must answer before its first share of the route",
        json_schema_extra=edited("changes nothing in AWS; what the former ones have seen counts no more"),
    )
    weights: dict[ClusterKey, Weight] | None = Field(
        default=None, description="weights of this route alone, in place of the stack's"
    )
    live: bool = Field(
        default=True, description="false keeps a new route to its preview rules until its targets are healthy"
    )

    @property
    def forwards(self) -> bool:
        """Whether clusters answer it."""
        return True


AnyRoute = Annotated[
    Annotated[Answer, Tag(WITH)] | Annotated[Route, Tag(WITHOUT)], told_by("redirect", "fixedResponse")
]
"""A route to clusters, or one that the load balancer answers itself."""
