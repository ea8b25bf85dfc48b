"""What was read around a cluster that is to serve, and what could not be. Pure. Refuses to judge it (preflight.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from ipaddress import IPv4Address, IPv4Network

    from cutover.rules.account import Account
    from cutover.rules.borders import Borders
    from cutover.rules.rights import Rights
    from cutover.rules.support import Support
    from cutover.rules.verdict import Objects, Unread
    from cutover.rules.way import Way
    from settings.probes import Probe


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """A subnet of a cluster: its ``free`` addresses, as EC2 counts them, and what network interfaces have of it."""

    id: str
    zone: str
    cidr: IPv4Network
    free: int
    used: Sequence[IPv4Address] = ()
    prefixes: Sequence[IPv4Network] = ()


@dataclass(frozen=True, kw_only=True)
class Processors:
    """EC2's quota of vCPU for nodes that are bought alike, by its ``code`` in Service Quotas, and what of it is used.

    ``own`` are those vCPU of the cluster's nodes that run now, ``full`` those of ``most`` nodes, which its groups may
    have; ``per_node`` are those of the greatest type that it may start.
    """

    code: str
    limit: int
    used: int
    own: int
    most: int
    full: int
    per_node: int


@dataclass(frozen=True, kw_only=True)
class Insight:
    """What EKS found on the way to a version. ``deprecated`` tells that it is about APIs which go away."""

    version: str
    name: str
    status: str
    deprecated: bool = False
    recommendation: str = ""


@dataclass(frozen=True)
class Insights:
    """Insights of a cluster. ``fresh`` tells that EKS looked anew; otherwise they are up to a day old."""

    found: Sequence[Insight]
    fresh: bool


@dataclass(frozen=True)
class Answer:
    """What a request through a preview rule was answered with, or why it was not.

    ``asked`` is the URL by the name that clients use, ``status`` that of HTTP, or what the health protocol of gRPC
    says, in its words. ``untrusted`` tells that the certificate is not one of that name. ``probe`` is the one that was
    asked, and None where that was the route's health check.
    """

    route: str
    asked: str
    status: int | str | Unread
    untrusted: bool = False
    probe: Probe | None = None
    method: str = "GET"

    @property
    def grpc(self) -> bool:
        """Whether the health protocol of gRPC was spoken."""
        return self.asked.startswith("grpc:")

    @property
    def said(self) -> str:
        """What was asked for."""
        return f"the health of {self.asked}" if self.grpc else f"{self.method} {self.asked}"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known around the cluster ``key``, and around ``peer``, which it takes over from or falls back to.

    ``limits`` are ELB's quotas by its own names, ``rules`` the number of rules by load balancer ARN. ``here`` is what
    stands inside ``key``, ``there`` inside ``peer``. ``trusted`` tells of IAM roles that ServiceAccounts name in
    ``key`` whether they trust its token issuer. ``cli`` is what `aws --version` says, and empty where there is none.
    """

    account: Account
    key: str
    peer: str | None
    today: date
    subnets: Sequence[Subnet] | Unread
    limits: Mapping[str, int] | Unread
    rules: Mapping[str, int] | Unread
    processors: Sequence[Processors] | Unread
    insights: Insights | Unread
    support: Support
    here: Objects
    there: Objects
    trusted: Mapping[str, bool] | Unread
    cli: str
    answers: Sequence[Answer]
    way: Way | Unread
    borders: Borders | Unread
    rights: Rights | Unread
