"""From what Pulumi hands over to `Settings`, or to one error that names every mistake of a layer.

Refuses to own what is a mistake (fields.py, rules.py).
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, get_args

import pulumi
from pydantic import ValidationError

from settings.models import Model, Settings
from settings.rules import Mistake, mistakes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo


class SettingsError(pulumi.RunError):
    """The stack file is wrong. The message names every mistake of one layer: key, value, consequence and cure."""


# What pydantic says of a value that no rule above speaks of.
_WANTED = {
    "string_type": "it must be text. Put it in quotes",
    "bool_type": "it must be true or false",
    "int_type": "it must be a whole number, without quotes",
    "dict_type": "it must be a map of keys and values",
    "model_type": "it must be a map of keys and values",
    "model_attributes_type": "it must be a map of keys and values",
    "tuple_type": "it must be a list",
    "too_short": "it has too few entries",
    "too_long": "it has too many entries",
    "greater_than_equal": "it is too small",
}


def load() -> Settings:
    """Read and check the configuration of the running stack.

    :raises SettingsError: anything is wrong; nothing has been created yet
    """
    project, stack = pulumi.get_project(), pulumi.get_stack()
    config = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    settings = parse({key: _value(text) for key, text in config.items()}, project, stack)
    if settings.preview.secret and not pulumi.runtime.config.is_config_secret(f"{project}:preview"):
        raise _error(
            stack,
            [
                Mistake(
                    f"{project}:preview.secret",
                    "it stands in the stack file in plain text. Whoever reads the file could pass the preview rules. "
                    f"Write it with `pulumi config set --secret --path '{project}:preview.secret'`",
                )
            ],
        )
    return settings


def parse(config: Mapping[str, Any], project: str, stack: str) -> Settings:
    """Check a configuration whose keys are ``namespace:key`` and whose values are what YAML said.

    :raises SettingsError: anything is wrong
    """
    raw: dict[str, Any] = {"stack": stack, "aws": {}}
    strangers: list[Mistake] = []
    for full_key, value in config.items():
        namespace, _, key = full_key.partition(":")
        if namespace == project and key not in {"stack", "aws"}:
            raw[key] = value
        elif namespace == "aws":
            raw["aws"][key] = value
        elif namespace != "pulumi":
            text = "nothing reads this namespace. The value would have no effect"
            strangers.append(Mistake(full_key, f"{text}. Remove it, or write {project}:{key}"))
    try:
        settings = Settings.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        found = [_field_mistake(dict(detail), project) for detail in error.errors(include_url=False)]
        raise _error(stack, strangers + found) from None
    if found := strangers + [Mistake(f"{project}:{m.key}", m.text) for m in mistakes(settings)]:
        raise _error(stack, found)
    return settings


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _error(stack: str, mistakes: list[Mistake]) -> SettingsError:
    head = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = [f"{head} in Pulumi.{stack}.yaml; nothing has been changed."]
    return SettingsError("\n".join(lines + [f"  {mistake.key}: {mistake.text}." for mistake in mistakes]))


def _field_mistake(detail: dict[str, Any], project: str) -> Mistake:
    # A union's tag and "[key]" (a map's key is what is wrong) stand in pydantic's path, but not in the file.
    path = [part for part in detail["loc"] if part not in {"new", "existing", "[key]"}]
    namespace, inside = ("aws", path[1:]) if path[0] == "aws" else (project, path)
    key = f"{namespace}:{_dotted(inside)}"
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        return Mistake(key, _stranger(path))
    if kind == "missing":
        return Mistake(key, f"missing: {_description(path)}. Nothing can be built without it. Write it")
    shown = "the value" if "secret" in path else _shown(value)
    if kind == "rule":
        return Mistake(key, f"{shown}: {detail['ctx']['text']}")
    wanted = _WANTED.get(kind) or detail["msg"][:1].lower() + detail["msg"][1:]
    return Mistake(key, f"{shown}: {wanted}. This is: {_description(path)}. Nothing can be built from another form")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a part of a terminal's line


def _dotted(path: list[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _stranger(path: list[str | int]) -> str:
    """Say of a key that nobody reads which one may have been meant."""
    known = [name for name, _ in _fields(path[:-1])]
    if len(path) == 1:
        known = [name for name in known if name not in {"stack", "aws"}]
    if path[-1] in known:
        return f"{path[-1]} and its neighbours exclude each other. Known here together: {', '.join(known)}"
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    cure = f"Meant is perhaps {near[0]}" if near else f"Known here: {', '.join(known)}"
    return f"nothing reads this key. What it says would be ignored without a word. {cure}"


def _description(path: list[str | int]) -> str:
    """Return what the field at ``path``, or the nearest field above it, is for."""
    for length in range(len(path), 0, -1):
        for name, field in _fields(path[: length - 1]):
            if name == path[length - 1] and field.description:
                return field.description
    return "a part of the configuration"


def _fields(path: list[str | int]) -> list[tuple[str, FieldInfo]]:
    """Return the fields, by their names in YAML, of the model that stands at ``path``; none where none stands."""
    models: list[type[Model]] = [Settings]
    for part in path:
        inside = [field.annotation for model in models for name, field in _named(model) if name == part]
        # A key of a map, or a place in a list, stands for the same models as the map or list itself.
        models = [model for annotation in inside for model in _models(annotation)] or models
    return [pair for model in models for pair in _named(model)]


def _named(model: type[Model]) -> list[tuple[str, FieldInfo]]:
    return [(field.alias or name, field) for name, field in model.model_fields.items()]


def _models(annotation: Any) -> list[type[Model]]:
    """Return the models inside a type such as ``dict[Name, Cluster]`` or ``NewNetwork | ExistingNetwork``."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
