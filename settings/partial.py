"""What is known of settings whose fields are wrong in places, so that the rules between fields are asked all the same.

What is wrong stands there as `UNKNOWN`, which answers no question: a rule that asks it ends, and nothing is told that
may not be so. Refuses to own what is wrong (the areas beside it), and which rules there are (rules/).
"""

from __future__ import annotations

import difflib
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Union, get_args, get_origin

from pydantic import JsonValue

from settings.kinds import kind_of
from settings.models import Settings
from settings.values import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Path = tuple[str | int, ...]


class UnknownError(Exception):
    """A value was asked for that is not known."""


class _Unknown:
    """Stands for a value that is wrong. That it is not None is all that can be told of it."""

    def _asked(self, *_: object) -> NoReturn:
        raise UnknownError

    __bool__ = __eq__ = __hash__ = __str__ = __format__ = __getattr__ = _asked  # pyright: ignore[reportAssignmentType]
    __iter__ = __len__ = __contains__ = __getitem__ = _asked
    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _asked


UNKNOWN: Any = _Unknown()


class _InDoubt(dict[str, Any]):
    """A map without its entries whose keys are wrong: whatever else is asked for may be one of them."""

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or bool(UNKNOWN)

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default) if key in self else UNKNOWN

    def __len__(self) -> int:
        return len(UNKNOWN)


def known(raw: Mapping[str, Any], wrong: Collection[Path]) -> Settings:
    """Return the settings that ``raw`` describes, with nothing known at the paths in ``wrong``.

    A path that ends in ``[key]`` is of an entry whose key is wrong, as pydantic has it.
    """
    return _value(Settings, raw, frozenset(wrong), ())


def _value(kind: Any, raw: Any, wrong: frozenset[Path], at: Path) -> Any:
    if at in wrong:
        return UNKNOWN
    kind = _kind(kind, raw)
    if kind is JsonValue:  # what an add-on is told, of which nothing is known here
        return raw
    if isinstance(raw, list):
        if any(path[: len(at)] == at for path in wrong):
            return UNKNOWN
        return tuple(_value(get_args(kind)[0], item, wrong, at) for item in raw)
    if isinstance(raw, dict) and get_origin(kind) is dict:
        right = [key for key in raw if (*at, key, "[key]") not in wrong]
        values = {key: _value(get_args(kind)[1], raw[key], wrong, (*at, key)) for key in right}
        partly = _InDoubt(values) if values else UNKNOWN
        return values if len(right) == len(raw) else partly
    return _model(kind, raw, wrong, at) if isinstance(raw, dict) else raw


def _model(kind: type[Model], raw: Mapping[str, Any], wrong: frozenset[Path], at: Path) -> Model:
    fields = {field.alias or name: (name, field) for name, field in kind.model_fields.items()}
    absent = fields.keys() - raw.keys()
    meant = {near for key in raw.keys() - fields.keys() for near in difflib.get_close_matches(key, absent, n=1)}
    given: dict[str, Any] = {}
    for key, (name, field) in fields.items():
        if key in raw:
            given[name] = _value(field.rebuild_annotation(), raw[key], wrong, (*at, key))
        else:
            given[name] = UNKNOWN if field.is_required() or key in meant else field.default
    if kind.OTHERS:
        right = [key for key in raw if key not in fields and (*at, key) not in wrong]
        given |= {key: _value(kind.OTHERS, raw[key], wrong, (*at, key)) for key in right}
    return kind.model_construct(**given)


def _kind(kind: Any, raw: Any) -> Any:
    """Return what ``raw`` is one of, where there are several or none at all may stand."""
    if get_origin(kind) is Annotated:
        return _kind(kind_of(kind, raw), raw)
    if get_origin(kind) not in {Union, UnionType}:
        return kind
    kinds = [_kind(one, raw) for one in get_args(kind)]
    if isinstance(raw, list):
        return next(one for one in kinds if get_origin(one) is tuple)
    if not isinstance(raw, dict):
        return type(raw)
    return next(one for one in kinds if get_origin(one) is dict or (isinstance(one, type) and issubclass(one, Model)))
