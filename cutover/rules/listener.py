"""Rules on a listener in ELB's order, and which of them answers what: before the stack's own, behind them, in between.

Pure. Only hosts and paths are compared; whatever else a rule asks for (a header, a method, a source) makes it answer
less of them. Refuses to own how a listener is read (cutover/aws/listeners.py), and what the stack wants there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from settings.conditions import covers, shared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from settings.conditions import Pattern


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of a listener: the hosts and paths that it matches, where there are any, and what it does.

    ``place`` is its priority, and None that of the default action, which stands behind all others. ``besides`` are its
    further conditions, as ELB calls them. ``forwards`` has the weight of every target group by ARN; a rule without any
    does ``instead`` something else ("fixed-response 404"). ``before`` is what it does first, such as
    "authenticate-oidc". ``owner`` says whose it is, as far as its tags tell, and ``stack`` whether that is a stack of
    this program. One of the stack's own has its ``route``, and a preview rule its ``cluster``.
    """

    arn: str
    place: int | None
    hosts: Sequence[str] = ()
    paths: Sequence[str] = ()
    besides: Sequence[str] = ()
    forwards: Mapping[str, int] = field(default_factory=dict[str, int])
    before: str = ""
    instead: str = ""
    owner: str = ""
    stack: bool = False
    route: str | None = None
    cluster: str | None = None

    def __str__(self) -> str:
        if self.place is None:
            return "the default action"
        asks = [*self.hosts, *self.paths, *(f"a {one}" for one in self.besides)]
        of = [f"of {self.owner}"] if self.owner else []
        return f"rule {self.place} ({', '.join([*asks, *of])})"

    @property
    def narrows(self) -> Sequence[str]:
        """What it asks for beside hosts and paths, of which no value is compared."""
        return self.besides

    @property
    def own(self) -> bool:
        """Whether it is the stack's."""
        return self.route is not None

    def meets(self, pattern: Pattern) -> bool:
        """Tell whether it answers requests of a pattern, or may."""
        return bool(shared(self, pattern))

    def answers_all(self, pattern: Pattern) -> bool:
        """Tell whether it answers every request of a pattern that comes to it."""
        return covers(self, pattern)


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A listener and its load balancer, by ARN, with its rules in ELB's order, the default action last.

    ``vpc`` is the load balancer's. ``kept`` says for what a controller keeps it, or its load balancer; empty where none
    has marked it.
    """

    arn: str
    load_balancer: str
    port: int
    protocol: str
    rules: Sequence[Rule]
    vpc: str = ""
    kept: str = ""

    @property
    def named(self) -> tuple[str, int]:
        """Its load balancer's name, and its port."""
        return self.load_balancer.split("/")[2], self.port

    def shadowing(self, place: int, pattern: Pattern) -> list[Rule]:
        """Return others' rules that take requests of a pattern before a rule at ``place`` is asked."""
        return [
            rule for rule in self._others() if rule.place is not None and rule.place < place and rule.meets(pattern)
        ]

    def answering(self, place: int, pattern: Pattern) -> list[Rule]:
        """Return others' rules that answer requests of a pattern where none at ``place`` does, in ELB's order."""
        found: list[Rule] = []
        for rule in self._others():
            if (rule.place is None or rule.place > place) and rule.meets(pattern):
                found.append(rule)
                if rule.answers_all(pattern):
                    break
        return found

    def _others(self) -> Iterator[Rule]:
        return (rule for rule in self.rules if not rule.own)
