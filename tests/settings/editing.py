"""Small edits of the stack files that ship, by the key as a message shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settings import Settings, SettingsError, parse
from tests.conftest import PROJECT, stack_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A VPC that was made elsewhere.
EXISTING = {
    "vpcId": "vpc-0a1b2c3d",
    "publicSubnetIds": [f"subnet-{n:017x}" for n in (1, 2)],
    "privateSubnetIds": [f"subnet-{n:08x}" for n in (3, 4)],
}


def edited(
    stack: str,
    changes: Mapping[str, Any] | None = None,
    *,
    drop: Iterable[str] = (),
    rename: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a stack file's ``config``, changed; a key without a namespace is the project's."""
    config = stack_config(stack)
    for old, new in (rename or {}).items():
        holder, name = _place(config, old)
        value = holder.pop(name)
        holder, name = _place(config, new)
        holder[name] = value
    for key, value in (changes or {}).items():
        holder, name = _place(config, key)
        holder[name] = value
    for key in drop:
        holder, name = _place(config, key)
        del holder[name]
    return config


def settings_of(stack: str, changes: Mapping[str, Any] | None = None, **more: Any) -> Settings:
    """Return the settings of a stack file, changed."""
    return parse(edited(stack, changes, **more), PROJECT, stack)


def message(stack: str, config: dict[str, Any]) -> str:
    """Return what a user sees of a configuration; empty where nothing is wrong."""
    try:
        parse(config, PROJECT, stack)
    except SettingsError as error:
        return str(error)
    return ""


def _place(config: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    namespace, _, path = key.rpartition(":")
    first, *rest = path.split(".")
    parts = [f"{namespace or PROJECT}:{first}", *rest]
    holder = config
    for part in parts[:-1]:
        holder = holder.setdefault(part, {})
    return holder, parts[-1]
