"""The language in which the emulated AWS types are declared, and what follows from a declaration alone.

A type is its shape (a `Field` per property), its auto-naming rule and five functions over the AWS API. From the shape
follow, without any call: the inputs with their defaults, the plan errors, the diff with its replacements, and what a
preview can know of the state. Refuses to own any type and any call to AWS.

The rules are those of the Pulumi Terraform bridge: a default stands in the inputs and in ``__defaults``; a computed
property that is left out keeps its value; sets ignore order; a name that was given, not drawn, makes every replacement
delete first.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rehearsal.cloud.refused import Props, Refused
from rehearsal.plugins.plugin import UNKNOWN, Change, Diff, compare, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rehearsal.cloud.session import Aws
    from rehearsal.plugins.plugin import Kind, Resource

DEFAULTS = "__defaults"  # the bridge lists there which properties of an object the user did not give
ALWAYS: frozenset[Kind] = frozenset({"add", "delete", "update"})
NEVER: frozenset[Kind] = frozenset()
RANDOM_DIGITS = 7


@dataclass(frozen=True)
class Field:
    """What a property is. Without ``fields`` it is a scalar, a map, or with ``many`` a list or set of scalars.

    ``computed``: AWS fills it in when it is left out, and leaving it out later changes nothing. ``output``: never
    given. ``replaces``: the kinds of change that need a new resource. ``key``: the property by which blocks of a set
    are told apart. ``check``: returns what is wrong with a value, or None. ``same``: the form in which two values are
    compared.
    """

    default: Any = None
    required: bool = False
    computed: bool = False
    output: bool = False
    replaces: frozenset[Kind] = NEVER
    fields: dict[str, Field] | None = None
    many: Literal["one", "list", "set"] = "one"
    key: str = ""
    at_most: int = 0
    check: Callable[[Any], str | None] | None = None
    same: Callable[[Any], Any] = field(default=lambda value: value)


Shape = dict[str, Field]

GIVEN = Field()
REQUIRED = Field(required=True)
COMPUTED = Field(computed=True)
OUTPUT = Field(output=True)
REPLACES = Field(replaces=ALWAYS)
REQUIRED_REPLACES = Field(required=True, replaces=ALWAYS)
COMPUTED_REPLACES = Field(computed=True, replaces=ALWAYS)


def defaults(value: Any) -> Field:
    """Declare a property with a default."""
    return Field(default=value)


def block(fields: Shape, **rules: Any) -> Field:
    """Declare an object."""
    return Field(fields=fields, **rules)


def set_of(fields: Shape | None = None, **rules: Any) -> Field:
    """Declare a set of scalars, or of objects with these fields."""
    return Field(fields=fields, many="set", **rules)


def list_of(fields: Shape | None = None, **rules: Any) -> Field:
    """Declare a list of scalars, or of objects with these fields, whose order matters."""
    return Field(fields=fields, many="list", **rules)


def document(**rules: Any) -> Field:
    """Declare a JSON document: text, or an object that becomes text; two texts of one document are equal."""
    return Field(same=_parsed, **rules)


def between(least: int, most: int) -> Callable[[Any], str | None]:
    """Make the check of a whole number within bounds, with the provider's words."""
    return lambda value: (
        None
        if isinstance(value, int) and least <= value <= most
        else f"to be in the range ({least} - {most}), got {value}"
    )


def one_of(*values: str) -> Callable[[Any], str | None]:
    """Make the check of an enumeration, with the provider's words."""
    return lambda value: None if value in values else f"to be one of {json.dumps(values)}, got {value}"


def no_cross_rule(inputs: Props) -> Iterable[str]:  # noqa: ARG001
    """Have no rule over several properties."""
    return ()


@dataclass(frozen=True)
class Type:
    """One resource type.

    ``noun`` is how the provider's errors call it. ``create`` returns the id; ``read`` returns the state as AWS has it
    (it is given the last known one, for what AWS does not tell) or None when it is gone; ``update`` is given the state,
    the new inputs and the top-level properties that changed. ``named`` is the property that is auto-named, within
    ``longest`` characters. ``moved`` are the outputs that any update changes. ``rule`` yields plan errors.
    """

    token: str
    noun: str
    shape: Shape
    create: Callable[[Aws, Props], str]
    read: Callable[[Aws, str, Props], Props | None]
    delete: Callable[[Aws, str, Props], None]
    update: Callable[[Aws, str, Props, Props, frozenset[str]], None] | None = None
    named: str = ""
    longest: int = 255
    delete_first: bool = False
    moved: tuple[str, ...] = ()
    regional: bool = True
    rule: Callable[[Props], Iterable[str]] = no_cross_rule

    def __post_init__(self) -> None:
        shape = dict(self.shape)
        if self.regional:
            shape["region"] = COMPUTED_REPLACES
        if "tags" in shape:
            shape["tagsAll"] = OUTPUT
        object.__setattr__(self, "shape", shape)


def checked(kind: Type, resource: Resource, olds: Props, news: Props, seed: bytes) -> Props:
    """Return the inputs of a resource with defaults and a name.

    Raises:
        Refused: with all plan errors at once.

    """
    problems: list[tuple[str, str]] = []
    inputs = _filled(kind.shape, news, "", problems)
    if kind.named and f"{kind.named}Prefix" not in inputs and kind.named not in inputs:
        inputs[kind.named] = _drawn(kind, resource, olds, seed)
        inputs[DEFAULTS] = sorted([*inputs[DEFAULTS], kind.named])
    if not problems and not unknown(inputs):
        problems.extend(("", text) for text in kind.rule(bare(inputs)))
    if problems:
        raise Refused(
            "\n".join(
                f"{kind.token} resource '{resource.name}' has a problem: {text}. "
                f"Examine values at '{'.'.join(filter(None, (resource.name, path)))}'."
                for path, text in problems
            )
        )
    return inputs


def difference(kind: Type, old_inputs: Props, old_state: Props, news: Props) -> Diff:
    """Compare checked inputs with what was there."""
    changes = {
        change.path: change for change in _merged_sites(_changes(kind.shape, bare(old_inputs), old_state, bare(news)))
    }
    name_given = bool(kind.named) and kind.named in news and kind.named not in news.get(DEFAULTS, ())
    replaced = any(change.replace for change in changes.values())
    return Diff(tuple(changes.values()), delete_before_replace=replaced and (kind.delete_first or name_given))


def foreseen(shape: Shape, state: Props, inputs: Props) -> Props:
    """Return the state that a preview can promise; ``state`` is empty before a resource exists."""
    promised: Props = {}
    for name, rules in shape.items():
        if name in inputs:
            promised[name] = _foreseen_value(rules, state.get(name), inputs[name])
        elif rules.computed or rules.output:
            promised[name] = state.get(name, UNKNOWN)
    return promised


def aligned(shape: Shape, known: Props, found: Props) -> Props:
    """Return ``found`` with the elements of its sets, and equal documents, as ``known`` has them."""
    return {
        name: _aligned_value(shape[name], known[name], value) if name in shape and name in known else value
        for name, value in found.items()
    }


def inputs_as_found(shape: Shape, inputs: Props, state: Props) -> Props:
    """Return the inputs that would make what is out there: only properties that the program gives."""
    found: Props = {}
    for name, value in inputs.items():
        if name == DEFAULTS:
            found[name] = value
        elif name in state:
            found[name] = _input_value(shape.get(name, GIVEN), value, state[name])
    return found


def bare(tree: Any) -> Any:
    """Return a property tree without the bridge's notes and without nulls."""
    if isinstance(tree, dict):
        return {key: bare(value) for key, value in tree.items() if key != DEFAULTS and value is not None}
    if isinstance(tree, list):
        return [bare(value) for value in tree]
    return tree


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _drawn(kind: Type, resource: Resource, olds: Props, seed: bytes) -> str:
    if kind.named in olds.get(DEFAULTS, ()) and kind.named in olds:
        return olds[kind.named]
    digits = hashlib.sha256(seed).hexdigest() if seed else secrets.token_hex()
    name = f"{resource.name}-{digits[:RANDOM_DIGITS]}"
    if len(name) > kind.longest:
        raise Refused(
            f"{kind.token} resource '{resource.name}' has a problem: name '{resource.name}-' plus {RANDOM_DIGITS} "
            f"random chars is longer than maximum length {kind.longest}. Examine values at "
            f"'{resource.name}.{kind.named}'."
        )
    return name


def _filled(shape: Shape, given: Props, path: str, problems: list[tuple[str, str]]) -> Props:
    inputs: Props = {}
    for name, value in given.items():
        where = f"{path}.{name}" if path else name
        rules = shape.get(name)
        if name == DEFAULTS or value is None:
            continue
        if rules is None or rules.output:
            problems.append((where, f"the rehearsal knows no property '{where}' of this type"))
        else:
            inputs[name] = _filled_value(rules, value, where, problems)
    for name, rules in shape.items():
        if rules.required and name not in inputs:
            where = f"{path}.{name}" if path else name
            problems.append((where, f'missing required argument. The argument "{name}" is required'))
    added = {name: rules.default for name, rules in shape.items() if rules.default is not None and name not in inputs}
    return {**inputs, **added, DEFAULTS: sorted(added)}


def _filled_value(rules: Field, value: Any, where: str, problems: list[tuple[str, str]]) -> Any:
    if value == UNKNOWN:
        return value
    if rules.many != "one":
        return _filled_list(rules, value, where, problems)
    if rules.fields is not None and isinstance(value, dict):
        return _filled(rules.fields, value, where, problems)
    if rules.same is _parsed and isinstance(value, dict | list):
        return UNKNOWN if unknown(value) else json.dumps(value)
    if rules.fields is not None:
        problems.append((where, f"expected an object, got {value!r}"))
    elif rules.check and (wrong := rules.check(value)):
        problems.append((where, f"expected {where} {wrong}"))
    return value


def _filled_list(rules: Field, value: Any, where: str, problems: list[tuple[str, str]]) -> Any:
    if not isinstance(value, list):
        problems.append((where, f"expected a list, got {value!r}"))
        return value
    if rules.at_most and len(value) > rules.at_most:
        problems.append((where, f"too many of them: no more than {rules.at_most} are allowed, got {len(value)}"))
    one = dataclasses.replace(rules, many="one")
    return [_filled_value(one, part, f"{where}[{index}]", problems) for index, part in enumerate(value)]


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
        for before, after in _pairs(rules, old, new):
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
        simple = isinstance(old, dict) and isinstance(new, dict) and rules.same is not _parsed
        if simple:
            yield from (Change(at, kind, replace=kind in rules.replaces) for at, kind in compare(old, new, where))
        else:
            yield Change(where, "update", replace="update" in rules.replaces)


def _pairs(rules: Field, old: list[Any], new: list[Any]) -> Iterator[tuple[int | None, int | None]]:
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


def _foreseen_value(rules: Field, state: Any, given: Any) -> Any:
    if rules.fields is None or given == UNKNOWN:
        return given
    if rules.many == "one":
        return foreseen(rules.fields, state if isinstance(state, dict) else {}, given)
    states = state if isinstance(state, list) and rules.many == "list" else []
    return [
        foreseen(rules.fields, states[index] if index < len(states) else {}, part) if isinstance(part, dict) else part
        for index, part in enumerate(given)
    ]


def _aligned_value(rules: Field, known: Any, found: Any) -> Any:
    if isinstance(known, list) and isinstance(found, list) and rules.many != "one":
        one = dataclasses.replace(rules, many="one")
        pairs = list(_pairs(rules, known, found))
        if rules.many == "set":
            pairs.sort(key=lambda pair: (pair[0] is None, pair[0], pair[1]))
        return [
            found[after] if before is None else _aligned_value(one, known[before], found[after])
            for before, after in pairs
            if after is not None
        ]
    if isinstance(known, dict) and isinstance(found, dict) and rules.fields is not None:
        return aligned(rules.fields, known, found)
    return known if rules.same(known) == rules.same(found) else found


def _input_value(rules: Field, given: Any, found: Any) -> Any:
    if isinstance(given, list) and isinstance(found, list) and rules.fields is not None:
        one = dataclasses.replace(rules, many="one")
        return [
            _input_value(one, given[index] if index < len(given) else _inputs_only(rules.fields, part), part)
            for index, part in enumerate(found)
        ]
    if isinstance(given, dict) and isinstance(found, dict) and rules.fields is not None:
        return inputs_as_found(rules.fields, given, found)
    return found


def _inputs_only(shape: Shape, found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    return {name: value for name, value in found.items() if name in shape and not shape[name].output}
