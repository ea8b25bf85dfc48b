"""Hooks on the objects that the program writes into clusters, which no preview and no update goes around.

Owns when an edit by hand is told. Refuses to own how one is found (edits.py). Components do not know it: it is bound by
a transform. The hooks are of creation and update only, since a program that no longer registers one of deletion could
not delete the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi import ResourceHook, ResourceHookBinding, ResourceHookOptions, ResourceOptions, ResourceTransformResult

from cutover.edits import edits

if TYPE_CHECKING:
    from pulumi import ResourceHookArgs, ResourceTransformArgs

_NAMESPACE = "kubernetes:core/v1:Namespace"
_OF_CONTROLLERS = ("kubernetes:elbv2.k8s.aws/", "kubernetes:appmesh.k8s.aws/")


def install() -> None:
    """Put the hooks on every object of this program that somebody can edit."""
    also_in_previews = ResourceHookOptions(on_dry_run=True)
    hooks = ResourceHookBinding(
        before_update=[ResourceHook("eks-cutover-object-update", before_update, also_in_previews)],
    )

    def bind(args: ResourceTransformArgs) -> ResourceTransformResult | None:
        if args.type_ != _NAMESPACE and not args.type_.startswith(_OF_CONTROLLERS):
            return None
        return ResourceTransformResult(args.props, ResourceOptions.merge(args.opts, ResourceOptions(hooks=hooks)))

    pulumi.runtime.register_resource_transform(bind)


def before_update(args: ResourceHookArgs) -> None:
    """Tell what an update takes away from whoever has edited the object by hand."""
    for edit in edits(args.old_outputs or {}, args.new_inputs or {}):
        pulumi.log.warn(f"{args.name} was edited by hand: {edit}. To keep that, change the stack file.")
