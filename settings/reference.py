"""docs/configuration.md, written from the models: every key, what it takes, what it is when left out, what it is for.

Run `make docs` after a change of the models. Refuses to own the words: they are the descriptions of the fields.
"""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from settings.aws import Aws
from settings.models import Settings
from settings.values import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"

_HEAD = """\
# The configuration of a stack

Written from the settings by `make docs`; change the descriptions there. These keys stand under `config` in a stack
file, each with `eks-cutover:` before it, beside the `aws:` keys of the AWS provider. YAML is read as Pulumi reads it
(`yes` is text, `0755` is 493), and only `preview.secret` and the `clientSecret` of a login may be sealed, with
`pulumi config set --secret`. Whatever is not listed is refused, and so is every value that cannot work, before anything
is created: all mistakes are told at once, each with what it would have led to and what to write instead.

## What most stacks need first

`Pulumi.dev.yaml` has them all, with values that work. Everything else has a value when it is left out, or is asked for
by the refusal of what needs it.
"""
_FIRST = (
    "aws.region",
    "network",
    "loadBalancers.NAME.zone",
    "loadBalancers.NAME.names",
    "clusters.NAME.version",
    "clusters.NAME.nodes",
    "clusters.NAME.addons",
    "clusters.NAME.controllers",
    "weights",
    "routes.NAME.service",
)
_SINGLE = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", SecretStr: "secret text"}


def page() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *_first(), *_top(), *_groups(), *_edits()])


def _sections() -> Iterator[tuple[type[Model], str]]:
    """Yield every model once, with the key under which it stands first, and what is inside it right behind it."""
    waiting: list[tuple[type[Model], str]] = [(Settings, ""), (Aws, "aws")]
    seen: set[type[Model]] = set()
    while waiting:
        model, at = waiting.pop(0)
        if model in seen:
            continue
        seen.add(model)
        yield model, at
        inside = [
            (one, f"{at}.{name}".removeprefix(".") + _step(field.annotation))
            for name, field in _fields(model)
            for one in _models(field.annotation)
        ]
        waiting = [*inside, *([(model.OTHERS, f"{at}.NAME")] if model.OTHERS else []), *waiting]


def _first() -> Iterator[str]:
    fields = {f"{at}.{name}".removeprefix("."): field for model, at in _sections() for name, field in _fields(model)}
    yield from _head()
    for key in _FIRST:
        yield _row(f"`{key}`", fields[key])
    yield ""


def _top() -> Iterator[str]:
    yield "## All keys\n"
    yield from _head()
    for name, field in _fields(Settings):
        linked = f"[`{name}`](#{name.lower()})" if _models(field.annotation) else f"`{name}`"
        yield _row(linked, field)
    yield ""


def _groups() -> Iterator[str]:
    group = ""
    for model, at in list(_sections())[1:]:
        if (top := at.partition(".")[0].removesuffix("[]")) != group:
            group = top
            yield f"## `{group}`\n"
        yield from _section(model, at)


def _section(model: type[Model], at: str) -> Iterator[str]:
    if "." in at:
        yield f"### `{at}`\n"
    yield f"{(model.__doc__ or '').strip().replace('``', '`')}\n"
    yield from _head()
    for name, field in _fields(model):
        yield _row(f"`{name}`", field)
    if model.OTHERS:
        yield f"| any other name | map | | {(model.OTHERS.__doc__ or '').strip()} |"
    yield ""


def _head() -> Iterator[str]:
    yield "| key | takes | left out | what it is for |\n|---|---|---|---|"


def _row(key: str, field: FieldInfo) -> str:
    return f"| {key} | {_takes(field.annotation)} | {_default(field)} | {_text(field.description or '')} |"


def _edits() -> Iterator[str]:
    yield "## What an edit does\n"
    yield "A change of any other key is applied in place, and shown by the preview.\n"
    yield "| key | an edit |\n|---|---|"
    for model, at in _sections():
        for name, field in _fields(model):
            if isinstance(field.json_schema_extra, dict) and "edited" in field.json_schema_extra:
                yield f"| `{f'{at}.{name}'.removeprefix('.')}` | {field.json_schema_extra['edited']} |"
    yield ""


def _fields(model: type[Model]) -> list[tuple[str, FieldInfo]]:
    named = [(field.alias or name, field) for name, field in model.model_fields.items()]
    return [(name, field) for name, field in named if model is not Settings or field.description]


def _takes(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _takes(arguments[0])
    if origin in {Union, types.UnionType}:
        return " or ".join(dict.fromkeys(_takes(one) for one in arguments if one is not type(None)))
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in arguments)
    if origin is dict:
        return f"map: {_takes(arguments[0])} → {_takes(arguments[1])}"
    if origin is tuple:
        return f"list of {_takes(arguments[0])}"
    return _SINGLE.get(annotation, "map")


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "**must be written**"
    if field.default is None or isinstance(field.default, Model):
        return ""
    return f"`{json.dumps(field.default)}`"


def _models(annotation: Any) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _step(annotation: Any) -> str:
    """Return how a key goes on inside a map of the user's own keys or a list."""
    kinds = {get_origin(annotation), *(get_origin(part) for part in get_args(annotation))}
    if dict in kinds:
        return ".NAME"
    return "[]" if tuple in kinds else ""


def _text(words: str) -> str:
    return words.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
