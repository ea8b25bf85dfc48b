"""What the gate is asked: a move of a route's weights, the groups that it is between, and what holds it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cutover.rules.evidence import Evidence


@dataclass(frozen=True)
class Policy:
    """How much is enough: at least ``min_healthy`` units, and ``headroom`` times what new targets would carry."""

    min_healthy: int = 2
    headroom: float = 1.2


@dataclass(frozen=True, kw_only=True)
class Group:
    """A target group as it is now.

    ``units`` are its distinct healthy (id, port); unused, initial and draining targets are none. ``registered`` tells
    whether requests are sent to any target at all: ELB sends them to unhealthy ones where no other is there, and
    answers 503, which no metric of a group counts, where none is. ``zones`` are those in which its healthy pods stand,
    and empty for nodes, which have no zone in DescribeTargetHealth. ``unreadable`` says why its health could not be
    read.
    """

    cluster: str
    units: int = 0
    registered: bool = False
    zones: frozenset[str] = frozenset()
    checked: bool = True
    unreadable: str = ""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """Whether somebody saw lately that a cluster answers a route's probes; ``said`` is who saw what, as a clause."""

    well: bool
    said: str


UNPROBED = Probed(well=False, said="nobody has asked its probes")


@dataclass(frozen=True, kw_only=True)
class Move:
    """A route's weights by target group ARN, as they are and as they should become.

    ``live`` is None where nobody serves the route yet; where it ``starts``, having no weighted rule, they are somebody
    else's. ``first`` tells that no rule on the whole load balancer serves yet. ``unknown`` are clusters that have a
    weight above 0 and a group that does not exist yet. ``evidence`` is what the last seven days prove, and None where
    they prove nothing, for the reason ``unproven``. ``capacity`` is what the stack file declares in its place: the
    targets that the whole route needs. ``probed`` is what is known of its probes, by group; empty where it has none.
    """

    route: str
    live: Mapping[str, int] | None
    wanted: Mapping[str, int]
    groups: Mapping[str, Group]
    unknown: Sequence[str] = ()
    starts: bool = False
    first: bool = False
    evidence: Evidence | None = None
    unproven: str = ""
    capacity: int | None = None
    probed: Mapping[str, Probed] = field(default_factory=dict[str, Probed])


@dataclass(frozen=True)
class Hold:
    """What a rollback left behind: no weights but these, by route and cluster, until it is released.

    ``version`` is that of the program that left it, and empty before 0.2.0.
    """

    weights: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, "Mapping[str, int]"])
    who: str = ""
    why: str = ""
    when: str = ""
    version: str = ""

    def allows(self, route: str) -> list[Mapping[str, int]]:
        """Return the weights that a route may have; one that had no rule may have those of any that had."""
        return [self.weights[route]] if route in self.weights else list(self.weights.values())

    def __str__(self) -> str:
        return f"a rollback of {self.when} by {self.who} ({self.why})"


@dataclass(frozen=True)
class Refusal:
    """Why a route may not move: what is wrong, with the numbers, and what to do."""

    route: str
    reason: str
    cure: str

    def __str__(self) -> str:
        return f"{self.route}: {self.reason}. {self.cure}."
