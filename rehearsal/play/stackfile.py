"""Reading and editing a copy of a stack file, as a user's editor would.

Refuses to own what is in it (settings/). Comments are lost, which is why only copies are edited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from settings import dialect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Config = dict[str, Any]
_T = TypeVar("_T")


def read(project: Path, stack: str) -> Config:
    """Return the configuration of a stack file: ``namespace:key`` and what YAML says."""
    return dialect.load(_path(project, stack).read_bytes())["config"]


def routes(config: Config) -> dict[str, dict[str, Any]]:
    """Return the routes that clusters answer."""
    return {name: route for name, route in config["eks-cutover:routes"].items() if "service" in route}


def edit(project: Path, stack: str, change: Callable[[Config], None]) -> None:
    """Change the configuration of a stack file in place."""
    _rewrite(_path(project, stack), lambda document: change(document["config"]))


def leave_out(project: Path, stack: str, part: str) -> bool:
    """Take a part that stands beside the configuration out of a stack file, and tell whether it was there."""
    return _rewrite(_path(project, stack), lambda document: document.pop(part, None) is not None)


def _rewrite(path: Path, change: Callable[[dict[str, Any]], _T]) -> _T:
    document = dialect.load(path.read_bytes())
    told = change(document)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return told


def _path(project: Path, stack: str) -> Path:
    return project / f"Pulumi.{stack}.yaml"
