"""What the engine tells a hook of a resource, in the plain.

The SDK hands a property that holds a secret over as an output, all of it: the actions of a rule, for the secret of its
login. Refuses to judge, and to show anything of it: whatever a hook says of such a property is its own to choose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi import Output, ResourceHookArgs

if TYPE_CHECKING:
    from collections.abc import Mapping


async def unsealed(args: ResourceHookArgs) -> ResourceHookArgs:
    """Return what a hook is told before a resource is written or deleted, with nothing sealed."""
    return ResourceHookArgs(
        urn=args.urn,
        id=args.id,
        name=args.name,
        type=args.type,
        new_inputs=await _plain(args.new_inputs),
        old_inputs=await _plain(args.old_inputs),
        old_outputs=await _plain(args.old_outputs),
    )


async def _plain(properties: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if properties is None:
        return None
    return {
        name: await one.future(with_unknowns=True) if isinstance(one, Output) else one
        for name, one in properties.items()
    }
