"""How hooks come to resources, whose components do not know it: one transform, which the engine asks of each resource.

One for all hooks, since each asking costs a call with all of the resource's properties, and a look-up of each resource
that they name. Refuses to own which resource has which hooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import ResourceHookBinding, ResourceOptions, ResourceTransformResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi import ResourceTransformArgs

    Hooked = Callable[[str, Mapping[str, Any]], ResourceHookBinding | None]
    """What hooks a resource gets, by its type and its properties."""


def install(*each: Hooked) -> None:
    """Give every resource of this program, and of the components that it uses, the hooks that are meant for it."""

    def bind(args: ResourceTransformArgs) -> ResourceTransformResult | None:
        hooks = [found for hooked in each if (found := hooked(args.type_, args.props))]
        if not hooks:
            return None
        opts = args.opts
        for one in hooks:
            opts = ResourceOptions.merge(opts, ResourceOptions(hooks=one))
        return ResourceTransformResult(args.props, opts)

    pulumi.runtime.register_resource_transform(bind)
