"""How hooks come to resources, whose components do not know it: one transform, which the engine asks of each resource.

One for all hooks, since each asking costs a call with all of the resource's properties, and a look-up of each resource
that they name. Refuses to own which resource has which hooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi import ResourceOptions, ResourceTransformResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi import ResourceTransformArgs

    Hooked = Callable[[ResourceTransformArgs], ResourceOptions | None]
    """What a resource gets besides: mostly hooks, by its type and its properties."""


def install(*each: Hooked) -> None:
    """Give every resource of this program, and of the components that it uses, the hooks that are meant for it."""

    def bind(args: ResourceTransformArgs) -> ResourceTransformResult | None:
        given = [found for hooked in each if (found := hooked(args))]
        if not given:
            return None
        opts = args.opts
        for one in given:
            opts = ResourceOptions.merge(opts, one)
        return ResourceTransformResult(args.props, opts)

    pulumi.runtime.register_resource_transform(bind)
