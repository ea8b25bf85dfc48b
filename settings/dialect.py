"""YAML as Pulumi's engine reads it, which is Go's yaml.v3: `0o17` is a number, and `yes` and `1:30` are text.

Owns scalars, keys, merges and anchors; PyYAML only finds where they begin and end. Refuses to own what the engine makes
of the values (files.py).
"""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_MOST_VALUES = 100_000  # aliases of aliases make more of a few lines than any memory holds
_TAG = "tag:yaml.org,2002:"
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + word: float(f"{sign}inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}
_WHOLE = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TIME = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})"
    r"(?:(?P<mark>[Tt ])(?P<clock>[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})(?P<part>\.[0-9]{1,9})?"
    r"(?P<zone>Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_KINDS = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
_MOST_UNSIGNED = 2**64
_LEAST_SIGNED = -(2**63)
_FLOAT_IN_FULL = (1e-6, 1e21)  # between these Go writes a float without an exponent


class DialectError(ValueError):
    """The engine would not read it. The text says where, or why."""


def load(text: bytes) -> Any:
    """Return what the first document of ``text`` says: maps with text as keys, lists, text, numbers, bool and None.

    :raises DialectError: the engine would not read it, or nobody can
    """
    try:
        loader = _Loader(text.removeprefix(b"\xef\xbb\xbf"))
        if not loader.check_node():
            return None
        if loader.peek_event().version not in (None, (1, 1)):
            raise DialectError("a version of YAML other than 1.1 is asked for")
        return _Values().of(loader.get_node())
    except RecursionError:
        raise DialectError("it is nested too deeply") from None
    except yaml.YAMLError as error:
        raise DialectError(" ".join(str(error).split())) from None


@lru_cache(maxsize=8)
def shared(text: bytes) -> Any:
    """Return what `load` does, read once: a long text takes a tenth of a second. Nobody may change the answer.

    :raises DialectError: the engine would not read it, or nobody can
    """
    return load(text)


def text_of(value: Any) -> str:
    """Return a single value as Go writes it into a text."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, float):
        return str(value)
    least, most = _FLOAT_IN_FULL
    if not value or least <= abs(value) < most:
        return format(Decimal(repr(value)), "f")
    return re.sub(r"e-0", "e-", repr(value))


class _Loader(yaml.BaseLoader):
    """Finds nodes. A tag of "" is a scalar without quotes or tag, whose kind is still to be found."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        plain = kind is ScalarNode and implicit[0]
        return "" if plain else super().resolve(kind, value, implicit)

    def scan_to_next_token(self) -> None:
        super().scan_to_next_token()
        while self.peek() == "\t" and (self.flow_level or not self.allow_simple_key):  # a tab that indents nothing
            self.forward()
            super().scan_to_next_token()

    def compose_node(self, parent: Any, index: Any) -> Node | None:
        event = self.peek_event()
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(getattr(event, "anchor", None), None)  # an anchor may be set anew
        return super().compose_node(parent, index)


class _Values:
    """Turns the nodes of one document into values."""

    def __init__(self) -> None:
        self._count = 0
        self._inside: set[int] = set()

    def of(self, node: Any) -> Any:
        self._count += 1
        if self._count > _MOST_VALUES:
            raise DialectError("its aliases make too much of it")
        if isinstance(node, ScalarNode):
            return _scalar(node.tag, node.value)
        if id(node) in self._inside:
            raise DialectError("an anchor contains itself")
        self._inside.add(id(node))
        value = self._map(node) if isinstance(node, MappingNode) else [self.of(one) for one in node.value]
        self._inside.remove(id(node))
        return value

    def _map(self, node: Node) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise DialectError(f"line {key.start_mark.line + 1}: a key is no single value")
            if key.value in seen:
                raise DialectError(f"line {key.start_mark.line + 1}: the key {key.value} stands there twice")
            seen.add(key.value)
            if key.value == "<<":
                merged = self._merged(value)
            else:
                own[text_of(_scalar(key.tag, key.value))] = self.of(value)
        return {**merged, **own}

    def _merged(self, node: Node) -> dict[str, Any]:
        several = node.value if isinstance(node, SequenceNode) else [node]
        if not all(isinstance(one, MappingNode) for one in several):
            raise DialectError(f"line {node.start_mark.line + 1}: << takes a map, or a list of maps")
        return {key: value for one in reversed(several) for key, value in self.of(one).items()}


def _scalar(tag: str, text: str) -> Any:
    kind = tag.removeprefix(_TAG)
    if any("\ud800" <= one <= "\udfff" for one in text):
        raise DialectError("half a character is escaped")
    if kind == "binary":
        try:
            return base64.b64decode(text).decode(errors="replace")
        except ValueError:
            raise DialectError(f"{text} is tagged !!binary, and is no base64") from None
    if kind == "timestamp" and (time := _time(text)):
        return time
    if tag and kind not in _KINDS:
        return text
    value = _plain(text) if kind in _KINDS else _time(text) or _plain(text)
    if kind in _KINDS and type(value) not in _KINDS[kind]:
        raise DialectError(f"{text} is tagged !!{kind}, and is none")
    return value


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    number = text if text.startswith(".") else text.replace("_", "")
    if text[0] not in "+-.0123456789":
        return text
    if found := _WHOLE.fullmatch(number):
        sign, digits = found.groups()
        octal = re.fullmatch(r"0[0-7]+", digits)
        whole = int(sign + (octal[0] if octal else digits), 8 if octal else 0)
        if _LEAST_SIGNED <= whole < (_MOST_UNSIGNED if not sign else -_LEAST_SIGNED):
            return whole
    if not _FLOAT.fullmatch(number):
        return text
    value = float(number)
    if value in (float("inf"), float("-inf")):
        return text
    # The engine writes down what it has read, and reads that again: there a float without a fraction has no point.
    return int(Decimal(repr(value))) if value.is_integer() and abs(value) < _FLOAT_IN_FULL[1] else value


def _time(text: str) -> str | None:
    """Return a date or a time as Go's time.Time writes it, or None."""
    found = _TIME.fullmatch(text)
    if found is None or (found["mark"] is not None and (found["mark"] == " ") == (found["zone"] is not None)):
        return None
    try:
        moment = datetime.strptime(f"{found['day']} {found['clock'] or '0:0:0'}", "%Y-%m-%d %H:%M:%S")
        zone = found["zone"] or "Z"
        offset = timedelta(0) if zone == "Z" else timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
    except ValueError:
        return None
    fraction = (found["part"] or "").rstrip("0").rstrip(".")
    named = zone.replace(":", "")
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} " + (f"{named} {named}" if offset else "+0000 UTC")
