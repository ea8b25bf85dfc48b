"""`routes.NAME.probes`: requests that tell whether the application behind a route answers, and not its gateway alone.

What each key takes. Refuses to own what a probe has to do with its route (rules/probes.py), and the asking (cutover/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from settings.matching import HEALTH_METHOD
from settings.values import DNS_NAME, Model, codes, rule, text

if TYPE_CHECKING:
    from settings.matching import Matching

_NO_RULE = 404  # what a load balancer answers where no rule matches, and a gateway that knows no such host or path
_LEAST, _MOST = 200, 499

ProbeHost = Annotated[
    str,
    rule(
        "CUT420",
        text(rf"(?=.{{1,128}}$)(?i:{DNS_NAME})"),
        "a probe's host is one that a client asks for, without * and ?. The load balancer would find no rule for it. "
        "Write e.g. app.example.com",
    ),
]

ProbePath = Annotated[
    str,
    rule(
        "CUT421",
        text(r"/[!-~]{0,1023}"),
        "a probe's path begins with /, has no space and at most 1024 characters, with its query if it has one. No "
        "request could be sent. Write e.g. /healthz",
    ),
]

Expected = Annotated[
    str,
    rule(
        "CUT422",
        codes,
        "this is no list of codes, or a range in it ends before it begins. Nothing would tell what to expect. Write "
        'them in quotes, e.g. "200", "200,302" or "200-299"',
    ),
]

HealthService = Annotated[
    str,
    rule(
        "CUT423",
        text(r"[A-Za-z0-9_.-]{1,200}"),
        "this is no name of a gRPC service. Its health would be that of nobody. Write e.g. shop.Orders, or leave it "
        "out for the server as a whole",
    ),
]


class Probe(Model):
    """A request that a cluster must answer as expected before it gets its first share of the route."""

    host: ProbeHost | None = Field(
        default=None, description="the host that is asked for; left out: the one that the route has, where it has one"
    )
    path: ProbePath | None = Field(
        default=None, description="the path with its query, which must be one of the route's; of a gRPC route left out"
    )
    expect: Expected | None = Field(
        default=None, description='codes that are well, such as "200,302"; left out: "200", over gRPC SERVING'
    )
    service: HealthService | None = Field(
        default=None, description="of a gRPC route: the service whose health is asked for; left out: the whole server"
    )

    @property
    def codes(self) -> str:
        """The codes of HTTP that are well."""
        return self.expect or "200"

    @property
    def proves(self) -> bool:
        """Whether its codes are those of an application that is well, and none that answers for anything."""
        within = all(first >= _LEAST and last <= _MOST for first, last in self._ranges)
        return within and not self.expects(_NO_RULE)

    def expects(self, status: int) -> bool:
        """Tell whether a status is one of those that are well."""
        return any(first <= status <= last for first, last in self._ranges)

    @property
    def _ranges(self) -> list[tuple[int, int]]:
        ends = [part.split("-") for part in self.codes.split(",")]
        return [(int(one[0]), int(one[-1])) for one in ends]

    def host_of(self, route: Matching, names: tuple[str, ...]) -> str | None:
        """Return the host that it asks for: its own, or the only one of its route; None where that is not told.

        ``names`` are of the route's load balancer; where it has none, an empty host stands for the name that AWS gives.
        """
        if self.host is not None:
            return self.host
        told = route.hosts or names or ("",)
        return told[0] if len(told) == 1 and not set(told[0]) & set("*?") else None

    def path_of(self, *, grpc: bool) -> str:
        """Return the path that it asks for: over gRPC the method of the health protocol."""
        return HEALTH_METHOD if grpc else self.path or "/"
