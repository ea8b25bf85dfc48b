"""The tags by which the stack's things are found in AWS without the state and without the stack file.

The gate, a cluster's controller and a retirement rest on them: never rename one.
"""

import pulumi

from settings.owner import Owner

ROUTE_TAG = "eks-cutover:route"
CLUSTER_TAG = "eks-cutover:cluster"
SIZES_TAG = "eks-cutover:sizes"
"""Of a node group: minSize/desiredSize/maxSize as the stack file had them when they were applied last."""


def own_tags() -> dict[str, str]:
    """Return what marks a thing as the running stack's."""
    return Owner(pulumi.get_project(), pulumi.get_stack()).tags
