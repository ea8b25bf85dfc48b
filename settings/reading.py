"""From what Pulumi hands over to `Settings`, or to one error that names every mistake.

Refuses to own what is a mistake (the areas beside it, rules/).
"""

from __future__ import annotations

import difflib
import json
import os.path
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import pulumi
from pydantic import ValidationError

from settings import files, sealing
from settings.answers import Answer
from settings.kinds import told_apart
from settings.matching import Matching
from settings.models import Settings
from settings.partial import known
from settings.routes import Route
from settings.rules import mistakes
from settings.rules.mistake import Mistake
from settings.values import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pydantic.fields import FieldInfo


_NOUNS = {"network": "network", "loadBalancers": "load balancer", "clusters": "cluster"}  # of what may exist already
_ROUTES = "routes"
_NOT_WRITTEN = {"project", "stack", "aws"}  # fields of Settings that are not keys of the project


class SettingsError(pulumi.RunError):
    """The stack file is wrong. The message names every mistake that can be told: key, value, consequence and cure.

    It promises that nothing has been changed; ``found`` is the same for those who go on without the file.
    """

    def __init__(self, text: str, found: str = "") -> None:
        super().__init__(text)
        self.found = found or text


# The cure for a value of another form than the one that belongs there, by pydantic's word for it.
_CURES = {
    "string_type": "Write text, in quotes",
    "bool_type": "Write true or false",
    "dict_type": "Write a map of keys and values",
    "model_type": "Write a map of keys and values",
    "tuple_type": "Write a list",
    "too_short": "Write more, at least {min_length}",
    "too_long": "Write fewer, at most {max_length}",
    "literal_error": "Write {expected}",
}


def load() -> Settings:
    """Read and check the configuration of the running stack.

    :raises SettingsError: anything is wrong; nothing has been created yet
    """
    project, stack = pulumi.get_project(), pulumi.get_stack()
    config = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    secret = [key for key in config if pulumi.runtime.config.is_config_secret(key)]
    # A program that is no process of its own, as in the Automation API, is told no root.
    return read(config, project, stack, secret, Path(pulumi.get_root_directory() or Path.cwd()))


def read(
    config: Mapping[str, str], project: str, stack: str, secret: Collection[str] = (), folder: Path | None = None
) -> Settings:
    """Check a configuration as Pulumi hands it over: what is more than a single value is JSON.

    ``secret`` names what Pulumi has marked as such: keys, or paths below them. The files in ``folder`` tell the paths
    where Pulumi tells no more than the keys.

    :raises SettingsError: anything is wrong
    """
    values = {key: value(text) for key, text in config.items()}
    inside = _sealed_in(folder, project, stack) if secret and folder else []
    sealed = sealing.sealed_paths(values, project, secret, inside)
    if plain := sealing.plain(values, project, sealed):
        raise _error(called(folder, stack), plain)
    return parse(values, project, stack, sealed, called(folder, stack))


def parse(
    config: Mapping[str, Any], project: str, stack: str, sealed: Collection[str] = (), file: str | None = None
) -> Settings:
    """Check a configuration whose keys are ``namespace:key`` and whose values are what YAML said.

    ``sealed`` has the paths of what is secret, of which a mistake shows no value.

    :raises SettingsError: anything is wrong
    """
    file = file or called(None, stack)
    raw: dict[str, Any] = {"project": project, "stack": stack, "aws": {}}
    strangers: list[Mistake] = []
    for full_key, value in config.items():
        namespace, _, key = full_key.partition(":")
        if namespace == project and key in _NOT_WRITTEN:
            strangers.append(Mistake("CUT100", full_key, _stranger([key])))
        elif namespace == project:
            raw[key] = value
        elif namespace == "aws":
            raw["aws"][key] = value
        elif full_key == "pulumi:autonaming":
            text = (
                "names are made here so that they fit AWS's limits with a random end, by which a replacement stands "
                "beside what it replaces. Under another pattern updates would stop halfway. Remove it"
            )
            strangers.append(Mistake("CUT172", full_key, text))
        elif namespace != "pulumi":
            text = f"nothing reads the namespace {namespace}. What it says would be ignored without a word"
            strangers.append(Mistake("CUT173", full_key, f"{text}. Remove it, or write {project}:{key}"))
    if opened := sealing.opened(config, project, sealed):
        raise _error(file, strangers + opened)
    wrong = sealing.missing(config, project, sealed)
    try:
        settings = Settings.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        details = _told_once(error.errors(include_url=False))
        settings = known(raw, [_unknown(dict(detail)) for detail in details])
        wrong += [_field_mistake(dict(detail), project, sealed) for detail in details]
    if found := strangers + wrong + _in_full(mistakes(settings), project):
        raise _error(file, found)
    return settings


def refusal(found: Sequence[Mistake], settings: Settings) -> SettingsError:
    """Return the error of the running program that names mistakes by the project's keys."""
    folder = Path(pulumi.get_root_directory() or Path.cwd())
    return _error(called(folder, settings.stack), _in_full(found, settings.project))


def called(folder: Path | None, stack: str) -> str:
    """Return how a stack's file is called: its path from the project's folder."""
    return os.path.relpath(files.stack_file(folder, stack), folder) if folder else f"Pulumi.{stack}.yaml"


def value(text: str) -> Any:
    """Return what a text means that Pulumi hands over: a map or a list, else the text, even if it could be a number."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict | list) else text


def _sealed_in(folder: Path, project: str, stack: str) -> list[str]:
    try:
        return files.sealed(files.config(folder, project, stack))
    except (OSError, ValueError):
        return []


def _error(file: str, mistakes: list[Mistake]) -> SettingsError:
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = [f"  {mistake.key}: {mistake.text}. [{mistake.code}]" for mistake in mistakes]
    heads = (f"{count} in {file}; nothing has been changed.", f"{count} in {file}:")
    return SettingsError(*("\n".join([head, *lines]) for head in heads))


def _told_once(details: list[Any]) -> list[Any]:
    """Leave out that a list is too short where that is because of entries that are wrong."""
    return [
        one
        for one in details
        if one["type"] != "too_short"
        or not any(other["loc"][: len(one["loc"])] == one["loc"] for other in details if other is not one)
    ]


def _path(loc: Sequence[str | int]) -> tuple[str | int, ...]:
    """Return where pydantic found something, without which of two kinds it took a value for."""
    path: list[str | int] = []
    tagged = False
    for part in loc:
        if tagged and part != "[key]":
            tagged = False
            continue
        path.append(part)
        tagged = told_apart(path)
    return tuple(path)


def _unknown(detail: dict[str, Any]) -> tuple[str | int, ...]:
    """Return the path of the value that is not known because of a mistake."""
    path = _path(detail["loc"])
    # A key that nobody reads leaves in doubt which of two kinds its value is.
    return path[:-1] if detail["type"] == "extra_forbidden" and told_apart(path[:-1]) else path


def _field_mistake(detail: dict[str, Any], project: str, sealed: Collection[str]) -> Mistake:
    path = list(_path(detail["loc"]))
    if path[-1] == "[key]":
        path.pop()  # a map's key is what is wrong
    key = _written(path, project)
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        return Mistake("CUT100", key, _stranger(path))
    if kind == "missing":
        return Mistake("CUT101", key, f"missing ({_description(path)}). Nothing can be built without it. Write it")
    shown = "the value" if sealing.hides(key, sealed) else _shown(value)
    if kind == "rule":
        return Mistake(detail["ctx"]["code"], key, f"{shown}: {detail['ctx']['text']}")
    cure = _CURES[kind].format(**detail.get("ctx", {})) if kind in _CURES else detail["msg"]
    return Mistake(
        "CUT102", key, f"{shown} does not belong here ({_description(path)}). Nothing can be built from it. {cure}"
    )


def _in_full(found: Sequence[Mistake], project: str) -> list[Mistake]:
    return [one if one.key.startswith("aws:") else replace(one, key=f"{project}:{one.key}") for one in found]


def _written(path: list[str | int], project: str) -> str:
    """Return the key at ``path`` as Pulumi and the stack file have it."""
    if path[0] == "stack":
        return "the stack's name"
    return f"aws:{_dotted(path[1:])}" if path[0] == "aws" else f"{project}:{_dotted(path)}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a part of a terminal's line


def _dotted(path: list[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _stranger(path: list[str | int]) -> str:
    """Say of a key that nobody reads which one may have been meant."""
    known = [name for name, _ in _fields(path[:-1]) if len(path) > 1 or name not in _NOT_WRITTEN]
    if path[-1] in known:
        if path[0] == _ROUTES:
            return _two_kinds_of_route()
        new, existing = (", ".join(name for name, _ in _named(kind)) for kind in _models_at(path[:-1]))
        what = _NOUNS[str(path[0])]
        return (
            f"a new {what} ({new}) and an existing one ({existing}) exclude each other. It is not clear which one is "
            "meant. Keep the keys of one"
        )
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    cure = f"Meant is perhaps {near[0]}" if near else f"Known here: {', '.join(known)}"
    return f"nothing reads this key. What it says would be ignored without a word. {cure}"


def _two_kinds_of_route() -> str:
    shared, own, answered = ([name for name, _ in _named(kind)] for kind in (Matching, Route, Answer))
    to, itself = (", ".join(name for name in names if name not in shared) for names in (own, answered))
    return (
        f"a route to clusters ({to}) and one that the load balancer answers itself ({itself}) exclude each other. It "
        "is not clear which one is meant. Keep the keys of one"
    )


def _description(path: list[str | int]) -> str:
    """Return what the field at ``path``, or the nearest field above it, is for."""
    for length in range(len(path), 0, -1):
        for name, field in _fields(path[: length - 1]):
            if name == path[length - 1] and field.description:
                return field.description
    return "a part of the configuration"


def _fields(path: list[str | int]) -> list[tuple[str, FieldInfo]]:
    """Return the fields, by their names in YAML, of the models that may stand at ``path``; none where none may."""
    return [pair for model in _models_at(path) for pair in _named(model)]


def _models_at(path: list[str | int]) -> list[type[Model]]:
    models: list[type[Model]] = [Settings]
    many = False  # whether the next part is a map's key or a place in a list, which the user chose
    single = False  # whether it may be a field all the same
    for part in path:
        if many and part not in {name for model in models if single for name, _ in _named(model)}:
            many = False
            continue
        inside: list[Any] = [field.annotation for model in models for name, field in _named(model) if name == part]
        inside = inside or [model.OTHERS for model in models if model.OTHERS]
        models = [model for annotation in inside for model in _models(annotation)]
        kinds = {get_origin(_plain(one)) for annotation in inside for one in _alternatives(annotation)}
        many, single = bool(kinds & {dict, tuple}), None in kinds
    return [] if many and not single else models


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """Return the types of which a value may be one."""
    plain = _plain(annotation)
    return get_args(plain) if get_origin(plain) in {Union, UnionType} else (plain,)


def _plain(annotation: Any) -> Any:
    return _plain(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _named(model: type[Model]) -> list[tuple[str, FieldInfo]]:
    return [(field.alias or name, field) for name, field in model.model_fields.items()]


def _models(annotation: Any) -> list[type[Model]]:
    """Return the models inside a type such as ``dict[Name, Cluster]`` or ``NewNetwork | ExistingNetwork``."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
