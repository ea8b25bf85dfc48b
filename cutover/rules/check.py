"""What a check is: a code that no other ever gets, what docs/checks.md says of it, and a judgement of what was read.

Pure. A check that is meant to fail in a stack is ignored there by its code, with a reason that is shown at every use.
Refuses to own any check (preflight.py lists all).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cutover.rules.verdict import Row, Unread, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cutover.rules.facts import Facts

Judged = tuple[Verdict, str, str]
"""A verdict, its evidence, and the cure, which is empty where there is nothing to do."""


def _all_of_them(facts: Facts) -> Iterable[tuple[str, Any]]:
    return [("", facts)]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of the preflight.

    ``why``, ``evidence`` and ``cure`` are sentences for docs/checks.md, ``page`` is what AWS, Kubernetes or the
    controller writes about it. ``judged`` is given the facts; where ``each`` names several things, each of them, and
    each has a row. ``beside`` is of a check that compares with the cluster that serves, and is left out without one.
    """

    code: str
    title: str
    why: str
    evidence: str
    cure: str
    page: str
    judged: Callable[[Any], Judged]
    each: Callable[[Facts], Iterable[tuple[str, Any]]] = _all_of_them
    beside: bool = False

    def rows(self, facts: Facts) -> Iterator[Row]:
        """Yield the rows of the check: of unknown verdict where a fact that it needs could not be read."""
        if self.beside and facts.peer is None:
            return
        for name, given in self.each(facts):
            title = f"{self.title} of {name}" if name else self.title
            try:
                yield Row(self.code, title, *self.judged(given))
            except Unread as reason:
                yield Row(self.code, title, Verdict.UNKNOWN, str(reason), reason.cure)


def ignoring(rows: Sequence[Row], ignored: Mapping[str, str]) -> list[Row]:
    """Return rows that say of those that are not well and may be so why they may."""
    return [row if row.verdict is Verdict.OK else replace(row, ignored=ignored.get(row.code, "")) for row in rows]


def idle(rows: Sequence[Row], ignored: Mapping[str, str], checks: Iterable[Check]) -> list[str]:
    """Return what of the ignored does nothing, a text each: there is no such check, or it is well."""
    titles = {check.code: check.title for check in checks}
    failing = {row.code for row in rows if row.verdict is not Verdict.OK}
    return [
        f"checks.ignore.{code}: {titles[code]} has nothing to ignore here. Take it out, unless "
        "another cluster still needs it: a later fault would go unseen"
        if code in titles
        else f"checks.ignore.{code}: there is no such check, so nothing is ignored. docs/checks.md lists them"
        for code in ignored
        if code not in failing
    ]
