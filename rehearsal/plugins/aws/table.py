"""The language in which the emulated AWS types are declared.

A type is its shape (a `Field` per property), its auto-naming rule and four functions over the AWS API. Refuses to own
any type, any call to AWS, and what follows from a declaration alone: inputs.py, difference.py and states.py.

A property's rules are those of the Pulumi Terraform bridge.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rehearsal.cloud.refused import Props

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rehearsal.cloud.session import Aws
    from rehearsal.plugins.plugin import Kind

ALWAYS: frozenset[Kind] = frozenset({"add", "delete", "update"})
NEVER: frozenset[Kind] = frozenset()


@dataclass(frozen=True)
class Field:
    """What a property is. Without ``fields`` it is a scalar, a map, or with ``many`` a list or set of scalars.

    ``computed``: AWS fills it in when it is left out, and leaving it out later changes nothing. ``output``: never
    given. ``replaces``: the kinds of change that need a new resource. ``key``: the property by which blocks of a set
    are told apart. ``check``: returns what is wrong with a value, or None. ``same``: the form in which two values are
    compared. ``sensitive``: the provider's schema calls it so, by which the bridge marks it, and it alone, as a secret.
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
    sensitive: bool = False
    check: Callable[[Any], str | None] | None = None
    same: Callable[[Any], Any] = field(default=lambda value: value)


Shape = dict[str, Field]
GIVEN = Field()
REQUIRED = Field(required=True)
COMPUTED = Field(computed=True)
OUTPUT = Field(output=True)
SEALED = Field(required=True, sensitive=True)
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
    return Field(same=parsed, **rules)


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


def parsed(value: Any) -> Any:
    """Return what a JSON text says; any other value is its own."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
