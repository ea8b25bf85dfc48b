"""What `cutover status` shows: tables and notes that a terminal of any width can hold.

Refuses to own what is true (rules/status.py) and what is asked (status.py).
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from cutover.commands.terminal import results
from cutover.rules.missing import TARGETS
from cutover.rules.status import weights
from cutover.rules.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cutover.engine.project import Project
    from cutover.rules.status import Back, Place, Status
    from cutover.rules.support import Support
    from cutover.rules.verdict import Row


_RED = "no target"
_WIDEST = 1000  # than which no table is wider
_NAME = 12  # columns into which a longer route is folded at the narrowest
_SUPPORT = 62  # columns, with fewer of which what is known of a version is left out
_NUMBERS = ("wanted", "live", "seen", "healthy", "needed", "req/s", "5xx/s")
_SPARE = ("5xx/s", "req/s", "seen", "needed", "healthy")  # in which order they go where a line is short
_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.BAD: "bold red", Verdict.UNKNOWN: "magenta"}


def show(known: Project, state: Status, today: date) -> None:
    """Show routes, clusters, and what one should know."""
    for table in (_routes(state), _clusters(state.support, today)):
        results.print(table, soft_wrap=False)
        results.print()
    notes = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    notes.add_column(no_wrap=True)
    notes.add_column(overflow="fold")
    for kind, text in _notes(known, state):
        notes.add_row(kind, Text(text, "bold red" if kind == _RED else ""))
    results.print(notes, soft_wrap=False)


def _routes(state: Status) -> Table:
    """Return the table of all places; where room is short, without shares and close together: no number is cut."""
    full = _places(state, tight=False)
    anything = results.options.update(width=_WIDEST)
    if results.measure(full, options=anything).maximum <= results.width:
        return full
    names = [
        ["route", *(one.route for one in state.places)],
        ["cluster", *(_cluster(one.cluster) for one in state.places)],
    ]
    folds = sum(max(0, max(map(len, column)) - _NAME) for column in names)
    tight = [_places(state, tight=True, without=_SPARE[:spared]) for spared in range(len(_SPARE) + 1)]
    folded = (one for one in tight if results.measure(one, options=anything).maximum - folds <= results.width)
    return next(folded, tight[-1])


def _places(state: Status, *, tight: bool, without: Sequence[str] = ()) -> Table:
    table = _table()
    if tight:
        table.padding = 0
    for name in ("route", "cluster"):
        table.add_column(name, overflow="fold")
    kept = [name for name in _NUMBERS if name not in without]
    for name in kept:
        table.add_column(name, justify="right", no_wrap=True)
    before = ""
    for place in state.places:
        if before not in {"", place.route}:
            table.add_section()
        every = zip(_NUMBERS, _cells(state, place, shares=not tight), strict=True)
        cells = [cell for name, cell in every if name in kept]
        table.add_row(place.route if place.route != before else "", _cluster(place.cluster), *cells)
        before = place.route
    return table


def _cells(state: Status, place: Place, *, shares: bool) -> Iterator[str | Text]:
    for weight, live in ((place.wanted, False), (place.live, True)):
        yield _weight(weight, sum(weights(state, place.route, live=live).values()) if shares else 0)
    yield "-" if place.seen is None else f"{place.seen:.1%}"
    short = place.healthy is not None and place.healthy < place.needed
    yield Text("?" if place.healthy is None else str(place.healthy), "bold red" if short and place.share else "")
    yield f"{place.needed}{' ' if place.share else '*'}"
    yield "-" if place.requests is None else f"{place.requests:.1f}"
    yield "-" if place.errors is None else f"{place.errors:.2f}"


def _cluster(name: str) -> str:
    """Say a cluster; the group of a stranger, which has none, by the part of its ARN that tells it from others."""
    return "/".join(name.rpartition(":")[2].split("/")[:2])


def _weight(weight: int | None, total: int) -> str:
    """Say a weight; where weights do not add up to 100, its share too (of a ``total`` of 0 there is none)."""
    if weight is None:
        return "-"
    return str(weight) if total in {0, 100} else f"{weight} ({weight / total:.0%})"


def _clusters(supported: Sequence[Support], today: date) -> Table:
    rows = [
        ("cluster", "version", "standard support", "extended support", "policy"),
        *[
            (one.cluster, one.version, _left(one.standard, today), _left(one.extended, today), one.policy)
            for one in supported
        ],
    ]
    short = results.width < _SUPPORT
    headings, *cells = [(row[0], *row[2:4]) if short else row for row in rows]
    table = _table(*headings)
    for column in table.columns[1:] if short else ():
        column.no_wrap = False
    for row in cells:
        table.add_row(*row)
    return table


def _left(end: date | None, today: date) -> str:
    if end is None:
        return "?"
    days = (end - today).days
    return f"{days} days left" if days >= 0 else f"ended {end}"


def _notes(known: Project, state: Status) -> Iterator[tuple[str, str]]:
    """Yield what one should know, the most urgent last: it stays on the screen."""
    if any(not place.share for place in state.places):
        yield "*", "needed by a rollback, which would give it everything"
    for unread in dict.fromkeys(one.unread for one in state.support if one.unread):
        clusters = ", ".join(one.cluster for one in state.support if one.unread == unread)
        yield "support", f"of {clusters} is not known: {unread}"
    yield from _health_notes(state)
    yield from _beside_notes(state)
    yield from _weight_notes(known, state)
    yield "rollback", _back(known, state)
    if state.back and state.back.empty:
        yield "empty", _emptied(known, state, state.back)
    for route, clusters in state.emptied.items():
        yield (
            _RED,
            f"{route}: {', '.join(clusters)} has a share and not one target, so what goes there is answered 503. See "
            "whether its binding stands, which GitOps may have taken away, and whether its controller works",
        )
        yield (
            "",
            f"-> away from it at once: `cutover rollback -s {known.named}`; there: kubectl get targetgroupbindings -A",
        )
    if one := state.unconfirmed:
        yield (
            "unconfirmed",
            f"a command that edited {known.file_name} was killed ({one.since}), and since then it says otherwise: "
            f"{'; '.join(one.found)}. No shift, promotion or retirement builds upon that",
        )
        yield "", f"-> {one.cure}"
    if state.unheld:
        yield "hold", f"whether one stands is not known, so weights may be refused: {state.unheld}"
    if hold := state.hold:
        yield (
            "hold",
            f"by {hold.who} since {hold.when} ({hold.why}): no other weights may be applied. "
            f"`cutover release -s {known.named}` lifts it",
        )


def _health_notes(state: Status) -> Iterator[tuple[str, str]]:
    for place in state.places:
        if place.healthy is None:
            yield "health", f"{place.route}: what is healthy in {_cluster(place.cluster)} could not be read"
        elif place.share and place.healthy < place.needed:
            needed = f"{place.needed} that {place.share:.0%} needs"
            yield "short", f"{place.route}: {_cluster(place.cluster)} has {place.healthy} healthy of the {needed}"
    if state.own_errors:
        yield "5xx", f"load balancers answer {state.own_errors:.2f} per second themselves, with no target to blame"


def _beside_notes(state: Status) -> Iterator[tuple[str, str]]:
    for route, rules in state.beside.items():
        live = weights(state, route, live=True)
        does = "would get its requests back" if live else "answers its requests, until it is live"
        yield "beside", f"{route}: {', '.join(rules) or 'another rule of the listener'} {does}"
    for text in state.shadows:
        yield "shadow", text


def _weight_notes(known: Project, state: Status) -> Iterator[tuple[str, str]]:
    for route in state.strangers:
        yield "drift", f"{route} is live in AWS, and not in the stack file. See `pulumi preview`"
    for route in state.drifted:
        file, live = (_said(weights(state, route, live=one)) for one in (False, True))
        yield "drift", f"{route}: the file says {file}, AWS {live or 'nothing'}"
    for one in state.missing:
        yield "missing", str(one)
    if state.instead:
        page = ", ".join(f"{route} ({action})" for route, action in state.instead.items())
        yield "no forward", f"the rule of {page} is there, and sends no request to any cluster"
        yield "", f"-> give it back in the console, or `pulumi up --refresh -s {known.named}` does"
    if state.half_moved:
        yield "half-moved", f"{', '.join(state.half_moved)} follow the same weights and give different shares"
    if state.hold and (state.drifted or state.half_moved):
        yield "", f"-> run `cutover rollback -s {known.named}` again: it ends what is left, and writes the file"
    elif state.half_moved:
        yield "", f"-> run the last `cutover shift` again, or `cutover rollback -s {known.named}`"
    elif state.drifted and not state.unconfirmed:
        file, live = (weights(state, state.drifted[0], live=one) for one in (False, True))
        # The state may remember neither, so a plain `pulumi up` could find nothing to do.
        brings = f"-> `cutover shift {_asked(file)} -s {known.named}` brings the file's"
        if any(_cluster(name) != name for name in live):
            yield "", f"{brings}, once the target group that is not the stack's is taken out of the rule in the console"
        else:
            yield "", f"{brings}; `cutover shift {_asked(live)} --write-only -s {known.named}` keeps what AWS has"


def _back(known: Project, state: Status) -> str:
    if state.back is None:
        serving = sorted({place.cluster for place in state.places if place.live})
        others = sorted({place.cluster for place in state.places if place.wanted is not None}.difference(serving))
        if len(serving) == 1 and not state.unheld and not state.instead:
            newer = f"; to go to a newer one: `cutover rollback --to {others[0]} -s {known.named}`" if others else ""
            return f"has nothing to go back to: {serving[0]} serves alone, and no cluster is older{newer}"
        unheld = " without the hold" if state.unheld else ""
        return f"would not know where to go{unheld}. `cutover rollback --to KEY -s {known.named}` does"
    if unknown := _by_route(state.back.unknown):
        return (
            f"would land on {state.back.to}, and whether that is enough is not known, since health could not be read: "
            f"{unknown}"
        )
    unproven = state.back.unproven
    why = "; ".join(dict.fromkeys(unproven.values()))
    if short := _by_route(state.back.short):
        by = f" By the load of what serves now, since {why}" if unproven.keys() & state.back.short.keys() else ""
        first = "" if state.back.empty else " Let it grow first, or use --partial."
        return f"would be too much for {state.back.to}: {short} healthy.{first}{by}"
    if unproven:
        return f"would land on {state.back.to}, and what it can carry in {', '.join(unproven)} is not known: {why}"
    return f"would land on {state.back.to}, which covers every route{' that forwards' if state.instead else ''}"


def _emptied(known: Project, state: Status, back: Back) -> str:
    said = f"{back.to} has no target at all in {', '.join(back.empty)}: what a rollback sends there is lost"
    if state.unconfirmed and back.to in state.unconfirmed.retired:
        return said
    return (
        f"{said}. Where a retirement was killed while it drained, `cutover retire {back.to} -s {known.named}` goes on "
        f"with it; to give {back.to} its targets again, in that cluster: {TARGETS}"
    )


def _asked(shown: Mapping[str, int]) -> str:
    return " ".join(f"{cluster}={weight}" for cluster, weight in shown.items())


def _by_route(lacks: Mapping[str, str]) -> str:
    return ", ".join(f"{route} {text}" for route, text in lacks.items())


def _said(shown: Mapping[str, int]) -> str:
    return ", ".join(f"{_cluster(cluster)} {weight}" for cluster, weight in shown.items())


def show_checks(key: str, rows: Sequence[Row]) -> None:
    """Show the checks of a cluster, and whether it is ready."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for checks, row in _grouped(rows):
        said = Text.assemble((", ".join(checks), "bold"), f": {row.evidence}")
        if row.cure or row.ignored:
            said.append(f"\n-> {row.ignored or row.cure}")
        verdict = Text("ignored", "dim") if row.ignored else Text(row.verdict.value, _STYLES[row.verdict])
        table.add_row(verdict, said)
    results.print()
    results.print(table, soft_wrap=False)
    counts = Counter("ignored" if row.ignored else row.verdict.value for row in rows)
    told = ", ".join(f"{counts[name]} {name}" for name in [*Verdict, "ignored"] if counts[name])
    known = "has nothing bad in what could be read" if counts["unknown"] else "has nothing bad"
    ready = "is not ready" if counts["bad"] else known
    results.print(f"\n{key} {ready}: {told}", markup=False)


def _grouped(rows: Sequence[Row]) -> Iterator[tuple[list[str], Row]]:
    """Yield rows with the checks that they answer: what cannot be reached is one line, and not a screen of them."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        unread = row.verdict is Verdict.UNKNOWN and not row.ignored
        groups.setdefault((row.evidence, row.cure) if unread else (row.check, ""), []).append(row)
    for group in groups.values():
        yield [f"{row.code} {row.check}" for row in group], group[0]


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table
