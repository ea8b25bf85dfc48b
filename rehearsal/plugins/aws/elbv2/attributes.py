"""Attributes of load balancers, target groups and listeners, which ELB takes and tells as text.

Refuses to own which attributes a type has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def attribute_text(value: Any) -> str:
    """Return a value as ELB takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_given(example: Any, text: str) -> Any:
    """Return an attribute's text as the provider shows it, by the value that a program would give."""
    if isinstance(example, bool):
        return text == "true"
    return int(text) if isinstance(example, int) else text


def attributes_asked(inputs: Props, names: dict[str, str]) -> list[dict[str, str]]:
    """Return the attributes that the program gives, ``names`` telling ELB's name of each property."""
    return [{"Key": key, "Value": attribute_text(inputs[name])} for name, key in names.items() if name in inputs]


def attributes_told(aws: Aws, operation: str, **which: str) -> dict[str, str]:
    """Return the attributes that ELB tells of one thing, by ELB's names."""
    return {one["Key"]: one["Value"] for one in aws.ask("elbv2", operation, **which)["Attributes"]}
