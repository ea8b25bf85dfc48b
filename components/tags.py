"""The tags by which the stack's things are found in AWS without the state and without the stack file.

The gate, a cluster's controller and a retirement rest on them: never rename one.
"""

STACK_TAG = "eks-cutover:stack"
ROUTE_TAG = "eks-cutover:route"
CLUSTER_TAG = "eks-cutover:cluster"
