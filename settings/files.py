"""The project file and a stack's file: where Pulumi's engine finds them, and what it takes from them.

In milliseconds, and also where no engine runs. Refuses to own what the values mean (reading.py), and what comes from
elsewhere: an environment of Pulumi ESC, or a configuration that Pulumi Cloud keeps.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from settings import dialect
from settings.dialect import DialectError
from settings.salvage import salvage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_KINDS = (".json", ".yaml", ".yml")  # in the order in which the engine looks for them


def project_file(folder: Path) -> Path | None:
    """Return the project file of a folder, if it has one."""
    return next((path for kind in _KINDS if (path := folder / f"Pulumi{kind}").is_file()), None)


def stack_file(folder: Path, stack: str) -> Path:
    """Return where a stack's file is, or would be. A folder that a broken project file leaves in doubt is none."""
    project = project_file(folder)
    if project is None:
        return folder / f"Pulumi.{stack}.yaml"
    try:
        says = salvage(project.read_bytes()).values
    except OSError:
        says = {}
    place = says.get("stackConfigDir") or says.get("config")  # the latter is how it was written once
    # The engine takes an absolute path, too, for one below the project.
    below = folder / place.lstrip("/") if isinstance(place, str) else folder
    return below / f"Pulumi.{stack}{project.suffix}"


def config(folder: Path, project: str, stack: str) -> dict[str, Any]:
    """Return a stack's configuration by full key; what is sealed stands there as ``{"secure": ...}``.

    A stack's file that is missing says nothing, as for the engine.

    :raises OSError: a file cannot be opened
    :raises ValueError: the engine would not read it
    """
    own, says = stack_file(folder, stack), project_file(folder)
    try:
        shared = defaults(document(says), project) if says else {}
    except ValueError as error:
        raise DialectError(f"{says and says.name}: {error}") from None
    return shared | (of_project(document(own).get("config"), project) if own.exists() else {})


def defaults(says: Mapping[str, Any], project: str) -> dict[str, Any]:
    """Return what a project file gives to all stacks that do not say otherwise, by full key."""
    given = says.get("config")
    if not isinstance(given, dict):
        return {}
    found: dict[str, Any] = {}
    for key, value in of_project(given, project).items():
        typed = value if isinstance(value, dict) else {"default": value}
        said = typed.get("value", typed.get("default"))
        if said is not None:
            found[key] = said
    return found


def of_project(config: Any, project: str) -> dict[str, Any]:
    """Return the keys of a file's ``config`` in full: one without a namespace is the project's.

    :raises ValueError: it is no map, or a key is none, or stands there in both ways
    """
    if not isinstance(config, dict | None):
        raise DialectError("config: is no map of keys and values")
    found: dict[str, Any] = {}
    for key, value in (config or {}).items():
        match key.split(":"):
            case [name]:
                full = f"{project}:{name}"
            case [_, _]:
                full = key
            case [namespace, "config", name]:
                full = f"{namespace}:{name}"
            case _:
                raise DialectError(f"{key} is no key: it is not NAMESPACE:KEY")
        if full in found:
            raise DialectError(f"the key {full} stands there twice")
        found[full] = value
    return found


def document(path: Path) -> dict[str, Any]:
    """Return what a file says; one that is empty says nothing.

    :raises OSError: it cannot be opened
    :raises ValueError: the engine would not read it
    """
    text = path.read_bytes()
    says = json.loads(text.decode("utf-8-sig")) if path.suffix == ".json" else dialect.shared(text)
    if not isinstance(says, dict | None):
        raise DialectError("it is no map of keys and values")
    return says or {}


def handed(config: Mapping[str, Any]) -> dict[str, str]:
    """Return a configuration as the engine hands it over, but without what is sealed.

    :raises ValueError: a number is none that JSON has
    """
    found: dict[str, str] = {}
    for key, value in config.items():
        if not _is_sealed(value):
            try:
                found[key] = _text(_open(value))
            except ValueError as error:
                raise DialectError(f"{key} has a number that is none ({error})") from None
    return found


def sealed(config: Mapping[str, Any]) -> list[str]:
    """Return the paths of what is sealed, such as `eks-cutover:preview.secret` and `aws:assumeRoles[0].externalId`."""
    return [path for key, value in config.items() for path in _sealed(key, value)]


def paths_of(marked: Iterable[str], paths: Iterable[str]) -> list[str]:
    """Return the paths below keys that the engine has marked as secret; a key itself, if no path is below it."""
    inside = {key: [path for path in paths if path == key or path.startswith((f"{key}.", f"{key}["))] for key in marked}
    return [path for key, found in inside.items() for path in found or [key]]


def _sealed(path: str, value: Any) -> Iterator[str]:
    if _is_sealed(value):
        yield path
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _sealed(f"{path}.{key}", part)
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _sealed(f"{path}[{place}]", part)


def _is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["secure"] and isinstance(value["secure"], str)


def _open(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _open(part) for key, part in value.items() if not _is_sealed(part)}
    return [_open(part) for part in value if not _is_sealed(part)] if isinstance(value, list) else value


def _text(value: Any) -> str:
    if isinstance(value, str | None):
        return value or ""
    if isinstance(value, dict | list):
        return json.dumps(value, allow_nan=False)
    return dialect.text_of(value)
