"""What changes between two sets of inputs, and what of it replaces, as it follows from the declaration of a type.

The rules are those of the Pulumi Terraform bridge: a computed property that is left out keeps its value; sets ignore
order; a name that was given, not drawn, makes every replacement delete first. Refuses to own any call to AWS.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.refused import Props
from rehearsal.plugins.aws.inputs import DEFAULTS, bare
from rehearsal.plugins.aws.table import GIVEN, Field, Shape, Type, parsed
from rehearsal.plugins.plugin import Change, Diff, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.plugins.plugin import Kind


def difference(kind: Type, old_inputs: Props, old_state: Props, news: Props) -> Diff:
    """Compare checked inputs with what was there."""
    changes = {
        change.path: change for change in _merged_sites(_changes(kind.shape, bare(old_inputs), old_state, bare(news)))
    }
    name_given = bool(kind.named) and kind.named in news and kind.named not in news.get(DEFAULTS, ())
    replaced = any(change.replace for change in changes.values())
    return Diff(tuple(changes.values()), delete_before_replace=replaced and (kind.delete_first or name_given))


def _merged_sites(changes: Iterator[Change]) -> Iterator[Change]:
    """Merge what went and what came at one index of a set into one update."""
    seen: dict[str, Change] = {}
    for change in changes:
        other = seen.get(change.path)
        seen[change.path] = Change(change.path, "update", replace=change.replace or other.replace) if other else change
    yield from seen.values()


def _changes(shape: Shape, old: Props, state: Props, new: Props, path: str = "") -> Iterator[Change]:
    for name in sorted({*old, *new}):
        rules = shape.get(name, GIVEN)
        where = f"{path}.{name}" if path else name
        if name not in new:
            if not rules.computed:
                yield Change(where, "delete", replace=_replaces(rules, "delete", old[name]))
        elif name in old or (rules.computed and name in state):
            yield from _value_changes(rules, old.get(name, state.get(name)), state.get(name), new[name], where)
        else:
            yield Change(where, "add", replace=_replaces(rules, "add", new[name]))


def _replaces(rules: Field, kind: Kind, value: Any) -> bool:
    if kind in rules.replaces:
        return True
    parts = value if isinstance(value, list) else [value]
    return any(
        _replaces(rules.fields[name], kind, inner)
        for part in parts
        if rules.fields and isinstance(part, dict)
        for name, inner in part.items()
        if name in rules.fields
    )


def _value_changes(rules: Field, old: Any, state: Any, new: Any, where: str) -> Iterator[Change]:
    if isinstance(old, list) and isinstance(new, list) and rules.many != "one":
        states = state if isinstance(state, list) else []
        one = dataclasses.replace(rules, many="one")
        for before, after in matched(rules, old, new):
            if after is None and before is not None:
                yield Change(f"{where}[{before}]", "delete", replace=_replaces(rules, "delete", old[before]))
            elif before is None and after is not None:
                yield Change(f"{where}[{after}]", "add", replace=_replaces(rules, "add", new[after]))
            elif before is not None and after is not None:
                known = states[before] if rules.many == "list" and before < len(states) else None
                yield from _value_changes(one, old[before], known, new[after], f"{where}[{after}]")
    elif isinstance(old, dict) and isinstance(new, dict) and rules.fields is not None:
        yield from _changes(rules.fields, old, state if isinstance(state, dict) else {}, new, where)
    elif rules.same(old) != rules.same(new):
        simple = isinstance(old, dict) and isinstance(new, dict) and rules.same is not parsed
        if simple:
            yield from (Change(at, kind, replace=kind in rules.replaces) for at, kind in compare(old, new, where))
        else:
            yield Change(where, "update", replace="update" in rules.replaces)


def matched(rules: Field, old: list[Any], new: list[Any]) -> Iterator[tuple[int | None, int | None]]:
    """Yield which element became which, by their indexes: None on one side came or went."""
    if rules.many == "list":
        for index in range(max(len(old), len(new))):
            yield index if index < len(old) else None, index if index < len(new) else None
        return
    left = dict(enumerate(old))
    came: list[int] = []
    for after, part in enumerate(new):
        before = next((index for index, other in left.items() if _alike(rules, other, part)), None)
        if before is None:
            came.append(after)
        else:
            del left[before]
            yield before, after
    went = list(left)
    while came and went and not rules.key:
        yield went.pop(0), came.pop(0)
    yield from ((before, None) for before in went)
    yield from ((None, after) for after in came)


def _alike(rules: Field, one: Any, other: Any) -> bool:
    if rules.key and isinstance(one, dict) and isinstance(other, dict):
        return one.get(rules.key) == other.get(rules.key)
    if rules.fields and isinstance(one, dict) and isinstance(other, dict):
        return not any(True for _ in _changes(rules.fields, one, {}, other))
    return rules.same(one) == rules.same(other)
