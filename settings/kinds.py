"""Values of two kinds, told apart by a key that only one of them has: mostly what is made, and what is there.

Owns how such a value is told apart, for whoever reads the types. Refuses to own the kinds (the areas beside it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from pydantic import Discriminator, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence

WITH, WITHOUT = "with", "without"

# Where a stack file has such values; None is any key that the user chose.
_TOLD_APART: tuple[tuple[str | None, ...], ...] = (
    ("network",),
    ("loadBalancers", None),
    ("loadBalancers", None, "zone"),
    ("loadBalancers", None, "existing"),
    ("clusters", None),
    ("clusters", None, "nodes"),
    ("routes", None),
)


def told_by(*keys: str) -> Discriminator:
    """Return what tells a value that is a map with any of some keys from one without."""
    return Discriminator(
        lambda value: WITH if isinstance(value, dict) and not value.keys().isdisjoint(keys) else WITHOUT
    )


def told_apart(path: Sequence[str | int]) -> bool:
    """Tell whether what stands at a path of the stack file may be of two kinds."""
    return any(
        len(path) == len(place) and all(one in {None, part} for one, part in zip(place, path, strict=True))
        for place in _TOLD_APART
    )


def kind_of(annotation: Any, raw: Any) -> Any:
    """Return which of the kinds in an annotated type ``raw`` is; the type itself where it has no kinds."""
    inner, *marks = get_args(annotation)
    for mark in marks:
        if isinstance(mark, Discriminator):
            tag = mark.discriminator(raw) if callable(mark.discriminator) else None
            return next(kind for kind in get_args(inner) if Tag(str(tag)) in get_args(kind))
    return inner if get_origin(annotation) is Annotated else annotation
