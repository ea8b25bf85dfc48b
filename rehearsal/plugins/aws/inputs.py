"""The inputs of a resource, as they follow from the declaration of its type: defaults, a name, and plan errors.

The rules are those of the Pulumi Terraform bridge: a default stands in the inputs and in ``__defaults``, and so does a
name that was drawn. Refuses to own any type and any call to AWS.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.refused import Props, Refused
from rehearsal.plugins.aws.table import GIVEN, Field, Shape, Type, parsed
from rehearsal.plugins.plugin import UNKNOWN, Sealed, unknown

if TYPE_CHECKING:
    from rehearsal.plugins.plugin import Resource

DEFAULTS = "__defaults"  # the bridge lists there which properties of an object the user did not give
RANDOM_DIGITS = 7


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


def inputs_as_found(shape: Shape, inputs: Props, state: Props) -> Props:
    """Return the inputs that would make what is out there: only properties that the program gives."""
    found: Props = {}
    for name, value in inputs.items():
        if name == DEFAULTS:
            found[name] = value
        elif name in state:
            found[name] = _input_value(shape.get(name, GIVEN), value, state[name])
    return found


def inputs_of_an_import(shape: Shape, state: Props) -> Props:
    """Return the inputs that would make what is out there: whatever AWS tells of what can be given."""
    told = {**_inputs_only(shape, state), **({"tagsAll": state["tagsAll"]} if "tagsAll" in state else {})}
    return {**{name: value for name, value in told.items() if value not in (None, "", [])}, DEFAULTS: []}


def bare(tree: Any) -> Any:
    """Return a property tree without the bridge's notes and without nulls."""
    if isinstance(tree, dict):
        return {key: bare(value) for key, value in tree.items() if key != DEFAULTS and value is not None}
    if isinstance(tree, list):
        return [bare(value) for value in tree]
    return tree


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
    if rules.same is parsed and isinstance(value, dict | list):
        return UNKNOWN if unknown(value) else json.dumps(value)
    if rules.fields is not None:
        problems.append((where, f"expected an object, got {value!r}"))
    elif rules.check and (wrong := rules.check(value)):
        problems.append((where, f"expected {where} {wrong}"))
    return Sealed(value) if rules.sensitive else value


def _filled_list(rules: Field, value: Any, where: str, problems: list[tuple[str, str]]) -> Any:
    if not isinstance(value, list):
        problems.append((where, f"expected a list, got {value!r}"))
        return value
    if rules.at_most and len(value) > rules.at_most:
        problems.append((where, f"too many of them: no more than {rules.at_most} are allowed, got {len(value)}"))
    one = dataclasses.replace(rules, many="one")
    return [_filled_value(one, part, f"{where}[{index}]", problems) for index, part in enumerate(value)]


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
