"""How a policy document of IAM is read, in which one thing may stand where several may. Pure.

Refuses to judge what a policy allows (given_roles.py, log_buckets.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def several(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as the only one in a list."""
    return value if isinstance(value, list) else [value]


def allowing(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the statements that allow something."""
    return [one for one in several(policy["Statement"]) if one["Effect"] == "Allow"]


def principals(statement: Mapping[str, Any], *kinds: str) -> list[str]:
    """Return whom a statement names of some kinds, such as Service; `*` alone, where it names everybody."""
    told = statement.get("Principal", {})
    return [one for kind in kinds for one in several(told.get(kind, []))] if isinstance(told, dict) else [told]
