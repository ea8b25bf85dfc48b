"""Edits by hand in a cluster: what an update of an object takes away from whoever wrote it. Pure.

The provider takes back what others have written (`enable_patch_force`, components/cluster.py), so that an edit by hand
stops no update; therefore it is told, by whom and when it was made. Read from ``metadata.managedFields``, where the API
server keeps who wrote which field last (Kubernetes documentation, server-side apply). What the program does not set
stays whoever's it is, and is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    _Path = tuple[str, ...]

_OURS = "pulumi-kubernetes"
_MISSING = object()


def edits(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return what somebody else has written in an object and an update to ``wanted`` would change, a line each.

    ``live`` is the object as the state knows it since the last refresh.
    """
    found = list[str]()
    for entry in live.get("metadata", {}).get("managedFields") or []:
        if entry.get("manager", "").startswith(_OURS) or entry.get("subresource"):
            continue
        for path in _paths(entry.get("fieldsV1") or {}):
            is_now, becomes = _at(live, path), _at(wanted, path)
            if _MISSING not in (is_now, becomes) and is_now != becomes:
                when = f" on {entry['time']}" if entry.get("time") else ""
                found.append(
                    f"{'.'.join(path)} was set to {_told(is_now)} by {entry['manager']}{when}, and is {_told(becomes)} "
                    "again"
                )
    return found


def _paths(fields: Mapping[str, Any], above: _Path = ()) -> Iterator[_Path]:
    """Yield the path of every field that is managed, a list as one: its items have keys of their own (`k:`, `v:`)."""
    below = {key[2:]: value for key, value in fields.items() if key.startswith("f:")}
    if not below:
        yield above
    for key, value in below.items():
        yield from _paths(value, (*above, key))


def _at(document: Any, path: _Path) -> Any:
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return _MISSING
        document = document[key]
    return document


def _told(value: Any) -> str:
    number = isinstance(value, float) and value.is_integer()  # as the engine hands numbers on
    return str(int(value)) if number else str(value)
