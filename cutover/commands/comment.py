"""The judgement of a plan as a pull request shows it: Markdown, and the same as JSON.

Refuses to own what is judged (guard.py, rules/judgement.py).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from cutover.rules.judgement import (
    Kind,
    cluster_of,
    groups_alone,
    kind,
    passing,
    route_of,
    shared,
    touched,
    unprotected,
    violations,
    weights,
    weights_alone,
)
from cutover.rules.shift import alike, said

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from cutover.rules.judgement import Violation
    from cutover.rules.missing import Missing
    from cutover.rules.move import Hold
    from cutover.rules.retire import Reason
    from cutover.rules.run import Run, Step


_ADVICE = re.compile(r"\n(because it is protected|as it is currently marked for protection)\.[^\n]*(\n`pulumi[^\n]*)?")
_FEW = 3  # what a cell has room for
_NAMED = 5
_OPS = ("create", "import", "update", "replace", "delete", "unprotect")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A plan of a stack, and what is true in AWS.

    ``named`` is how `-s` names the stack. ``missing`` is what the state has and AWS has not. ``live`` has the clusters'
    weights by route, ``serving`` the clusters that get requests now, ``instead`` what rules do, by route, that forward
    to nothing. ``leaving`` is by cluster that the plan takes away what speaks against that. ``hold`` is the one that
    stands. ``silent`` are the clusters of whose inside the plan tells nothing. ``blind`` is why nothing tells what is
    true in AWS, and ``unplanned`` whether there is no plan either. ``beside`` has by route on listeners of others their
    rules that answer without its own, ``emptied`` clusters that have a share and no target.
    """

    stack: str
    named: str
    run: Run
    missing: Sequence[Missing] = ()
    live: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, "Mapping[str, int]"])
    serving: Collection[str] = ()
    instead: Mapping[str, str] = field(default_factory=dict[str, str])
    leaving: Mapping[str, Sequence[Reason]] = field(default_factory=dict[str, "Sequence[Reason]"])
    hold: Hold | None = None
    silent: Sequence[str] = ()
    blind: str = ""
    unplanned: bool = False
    beside: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])
    emptied: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])

    @property
    def violations(self) -> list[Violation]:
        """What the plan may not do, also to clusters that serve again once a rule forwards as the state has it."""
        state = [before for route, (before, _) in weights(self.run).items() if route in self.instead]
        waiting = {cluster for before in state for cluster, weight in before.items() if weight}
        return violations(self.run, {*self.serving, *waiting}, self.live, self.beside)

    @property
    def change(self) -> str:
        """The kind of the plan; without one there is no kind."""
        return "unknown" if self.unplanned else kind(self.run, self.beside)

    @property
    def passing(self) -> dict[bool, dict[str, Sequence[str]]]:
        """By whether a plan takes or gives back, the routes that do, and the rules of others from or to which."""
        found: dict[bool, dict[str, Sequence[str]]] = {True: {}, False: {}}
        for step in passing(self.run, self.beside):
            if route := route_of(step):
                found[step.op == "create"][route] = self.beside[route]
        return found

    @property
    def against(self) -> list[Reason]:
        """What no word acknowledges: `cutover retire` refuses by it, so the plan may not be applied."""
        return [reason for reasons in self.leaving.values() for reason in reasons if reason.word is None]

    @property
    def refused(self) -> bool:
        """Whether the plan may not be applied."""
        return bool(self.run.failure or self.violations or self.missing or self.against)


def markdown(judged: Judged) -> str:
    """Return the judgement as a comment of a pull request. Its first line, which nobody sees, tells it from others."""
    parts = [
        f"<!-- cutover guard {judged.stack} -->",
        f"## {judged.stack}: {'no plan' if judged.unplanned else judged.change}",
        _verdict(judged),
        *_hold(judged),
        *_emptied(judged),
        *_weights_table(judged),
        *_passing(judged),
        *_pages(judged),
        *_silent(judged.silent),
        *_steps_table(judged),
        *_violations_list(judged.violations),
        *_missing_list(judged.missing),
        *_leaving_list(judged),
        *_warnings_list(judged.run),
        *_failure(judged.run),
    ]
    return "\n\n".join(parts)


def _verdict(judged: Judged) -> str:
    serving = f"Requests go to {listed(sorted(judged.serving)) or 'no cluster'} now."
    if judged.blind:
        serving = f"Nothing tells where requests go now: {judged.blind}."
    if judged.unplanned:
        return f"**Refused**: the stack file is wrong, so nothing was planned. {serving}"
    reasons = [f"it breaks a rule in {count} {_steps(count)}"] if (count := len(judged.violations)) else []
    reasons += ["AWS lacks what the state has"] if judged.missing else []
    reasons += [f"{key} may not go yet" for key, why in judged.leaving.items() if any(one.word is None for one in why)]
    reasons += ["its preview failed; what stands here is as far as it came"] if judged.run.failure else []
    if reasons:
        return f"**Refused**: {listed(reasons)}. {serving}"
    if judged.change == Kind.PROTECTION:
        count = len(judged.run.kept)
        serving = f"Nothing changes in AWS, and what is protected does ({count} {_resources(count)}). {serving}"
    return f"**Allowed.** {serving}"


def _hold(judged: Judged) -> Iterator[str]:
    if judged.hold:
        held = "; ".join(f"{route} {said(weights)}" for route, weights in judged.hold.weights.items())
        yield (
            f"{str(judged.hold)[0].upper()}{str(judged.hold)[1:]} holds the weights ({held}). The gate lets no others "
            f"pass, also once this is merged, until `cutover release -s {judged.named}`."
        )


def _weights_table(judged: Judged) -> Iterator[str]:
    known = {route: (judged.live.get(route, old), old, new) for route, (old, new) in weights(judged.run).items()}
    changing = {route: (live, new) for route, (live, old, new) in sorted(known.items()) if old != new}
    if not changing:
        return
    clusters = sorted({cluster for both in changing.values() for one in both for cluster in one})
    rows = [
        [route, *(_change(live.get(cluster), new.get(cluster)) for cluster in clusters)]
        for route, (live, new) in changing.items()
    ]
    yield _table(["weights", *clusters], rows)
    drifted = [
        route for route, (live, _) in changing.items() if live != known[route][1] and route not in judged.instead
    ]
    if there := [route for route in drifted if alike(*changing[route])]:
        yield (
            f"AWS has the new weights of {listed(there)} already, from a rollback or a shift that the state does not "
            "know of: no request moves there, and this change lets the state say so."
        )
    if moved := [route for route in drifted if route not in there]:
        yield (
            f"The weights of {listed(moved)} in AWS are not those of the state: something else has moved them, and "
            f"this change overwrites that. `cutover status -s {judged.named}` shows both."
        )


def _passing(judged: Judged) -> Iterator[str]:
    for takes, routes in judged.passing.items():
        for route, rules in routes.items():
            who = listed([f"`{rule}`" for rule in rules]) or "another rule"
            yield (
                f"**{route}** takes the requests that {who} of the listener answers now. `live: false` gives them back."
                if takes
                else f"**{route}** gives its requests back to {who} of the listener."
            )


def _emptied(judged: Judged) -> Iterator[str]:
    if judged.emptied:
        lost = listed([f"{route} ({', '.join(clusters)})" for route, clusters in judged.emptied.items()])
        yield (
            f"**Requests are lost now**: there is a share and not one target in {lost}. See whether the binding "
            "stands, which GitOps may have taken away, and whether the controller works. This change is not the cause."
        )


def _pages(judged: Judged) -> Iterator[str]:
    if judged.instead:
        pages = listed([f"{route} ({does})" for route, does in sorted(judged.instead.items())])
        yield (
            f"The rule of {pages} forwards to no cluster: somebody has given it another action, such as a maintenance "
            "page. A change that leaves its target groups and weights alone leaves that too, and the gate refuses any "
            f"other. Once it may go: `pulumi up --refresh -s {judged.named}`. Until then its clusters count as serving."
        )


def _silent(clusters: Sequence[str]) -> Iterator[str]:
    if clusters:
        yield (
            f"The Kubernetes API of {listed([*clusters])} does not answer from here, so nothing tells what this change "
            "does inside. An update waits for it, leaves what stands there as it is, and fails where it is to make or "
            "delete something."
        )


def _steps_table(judged: Judged) -> Iterator[str]:
    steps = touched(judged.run) + unprotected(judged.run)
    places = sorted({(_place(step), step.op) for step in steps}, key=lambda one: (one[0], _order(one[1])))
    rows: list[list[str]] = []
    for place, op in places:
        there = [step for step in steps if (_place(step), step.op) == (place, op)]
        serves = " (serves)" if place in judged.serving else ""
        rows.append([place + serves, op, _named(there) if len(there) <= _FEW else _counted(there)])
    if rows:
        yield _table(["where", "plan", "resources"], rows)


def _violations_list(found: Iterable[Violation]) -> Iterator[str]:
    alike: dict[tuple[str, str, str], list[Step]] = {}
    for violation in found:
        alike.setdefault((violation.rule, violation.consequence, violation.cure), []).append(violation.step)
    lines: list[str] = []
    for (rule, consequence, cure), steps in alike.items():
        named = [f"{step.op} {_type(step)} `{step.name}`" for step in steps[:_NAMED]]
        more = [f"{len(steps) - _NAMED} more"] if len(steps) > _NAMED else []
        lines.append(f"- **{rule[0].upper()}{rule[1:]}**: {listed([*named, *more])}. {consequence}. {cure}.")
    if lines:
        yield "### What it may not contain"
        yield "\n".join(lines)


def _missing_list(lacking: Sequence[Missing]) -> Iterator[str]:
    if lacking:
        yield "### What AWS lacks"
        yield "\n".join(f"- **{one.route}** {one.what}. {one.cure}." for one in lacking)


def _leaving_list(judged: Judged) -> Iterator[str]:
    for key, reasons in judged.leaving.items():
        if against := [reason for reason in reasons if reason.word is None]:
            yield f"### Why {key} may not go yet"
            yield "\n".join(f"- {reason}" for reason in against)
        if unsure := [reason for reason in reasons if reason.word]:
            yield f"### What somebody must know before {key} goes"
            yield "\n".join(f"- {reason.what}. {reason.cure}." for reason in unsure)


def _warnings_list(run: Run) -> Iterator[str]:
    if run.warnings:
        yield "### What the preview warns of"
        yield "\n".join(f"- {warning}" for warning in run.warnings)


def _failure(run: Run) -> Iterator[str]:
    if run.failure:
        # Every rule that the gate stops repeats what all of them say. The engine's advice to lift the protection of
        # what serves, with the command for it, is the last thing that a reader in a hurry should copy.
        told = _ADVICE.sub(r" \1", run.failure)
        lines = dict.fromkeys(line.rstrip() for line in told.strip().splitlines())
        yield "### What the preview said"
        yield "\n".join(["````text", *lines, "````"])


def document(judged: Judged) -> dict[str, Any]:
    """Return the judgement as JSON has it."""
    return {
        "stack": judged.stack,
        "refused": judged.refused,
        "change": judged.change,
        "serving": sorted(judged.serving),
        "weights": {
            route: {"live": judged.live.get(route, {}), "state": before, "planned": after}
            for route, (before, after) in weights(judged.run).items()
        },
        "steps": [
            {key: value for key, value in asdict(step).items() if key in {"op", "name", "type", "paths", "causes"}}
            | {"cluster": cluster_of(step), "route": route_of(step)}
            for step in touched(judged.run)
        ],
        "unprotected": [step.name for step in unprotected(judged.run)],
        "violations": [
            {"rule": one.rule, "op": one.step.op, "name": one.step.name}
            | {"consequence": one.consequence, "cure": one.cure}
            for one in judged.violations
        ],
        "missing": [str(one) for one in judged.missing],
        "rulesWithoutForward": dict(judged.instead),
        "takesFrom": {route: list(rules) for route, rules in judged.passing[True].items()},
        "givesBackTo": {route: list(rules) for route, rules in judged.passing[False].items()},
        "leaving": {
            key: [{"what": one.what, "cure": one.cure, "acknowledge": one.word} for one in reasons]
            for key, reasons in judged.leaving.items()
        },
        "emptied": {route: list(clusters) for route, clusters in judged.emptied.items()},
        "hold": judged.hold and asdict(judged.hold),
        "warnings": list(judged.run.warnings),
        "silent": list(judged.silent),
        "failure": judged.run.failure,
    }


def _place(step: Step) -> str:
    cluster, route = cluster_of(step), route_of(step)
    if part := shared(step):
        return f"shared layer: {part}"
    return cluster or (f"route {route}" if route else "stack")


def _named(steps: Collection[Step]) -> str:
    return ", ".join(f"{_type(step)} `{step.name}`{_paths(step)}" for step in sorted(steps, key=lambda one: one.name))


def _counted(steps: Iterable[Step]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(map(_type, steps)).items()))


def _paths(step: Step) -> str:
    if step.op not in {"update", "replace"}:
        return ""
    if weights_alone(step):
        return " (weights)"
    if groups_alone(step):
        return " (target groups)"
    paths = step.causes or step.paths
    more = [f"{len(paths) - _FEW} more"] if len(paths) > _FEW else []
    return f" ({', '.join([*(f'`{path}`' for path in paths[:_FEW]), *more]) or 'not said what'})"


def _type(step: Step) -> str:
    return "Provider" if step.type.startswith("pulumi:providers:") else step.type.rsplit(":", 1)[-1]


def _order(op: str) -> int:
    return _OPS.index(op) if op in _OPS else len(_OPS)


def _change(before: int | None, after: int | None) -> str:
    shown = ["none" if weight is None else str(weight) for weight in (before, after)]
    return shown[1] if shown[0] == shown[1] else " → ".join(shown)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def listed(parts: list[str]) -> str:
    """Return several things as a sentence has them."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _resources(count: int) -> str:
    return "resource" if count == 1 else "resources"


def _steps(count: int) -> str:
    return "step" if count == 1 else "steps"
