"""How a transform changes a part of what the EKS component gives a child. Refuses to know which child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi import ResourceTransformArgs, ResourceTransformResult

    Transform = Callable[[ResourceTransformArgs], ResourceTransformResult | None]


def with_part(props: Mapping[str, Any], key: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Any:
    """Return properties of which one is changed, be it known now or only once its parts are made."""
    value = props[key]
    return {**props, key: value.apply(change) if isinstance(value, pulumi.Output) else change(value)}
