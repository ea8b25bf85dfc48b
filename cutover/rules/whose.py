"""Whose something in AWS is, as far as its tags tell: a stack of this program, a controller, another tool.

Pure. Refuses to know this stack's own things (settings/owner.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.owner import STACK_TAG, project_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# Under these the AWS Load Balancer Controller, and EKS Auto Mode's, find again what they made (their sources, 3.5.0).
_CLUSTERS = ("elbv2.k8s.aws/cluster", "eks:eks-cluster-name")
_KINDS = {"ingress.k8s.aws/": "an Ingress", "gateway.k8s.aws/": "a Gateway", "service.k8s.aws/": "a Service"}


def whose(tags: Mapping[str, str]) -> str:
    """Return whose something is, such as "CloudFormation stack shared"; empty where no tag tells."""
    if STACK_TAG in tags:
        return f"the stack {project_of(tags) or 'of no project'}/{tags[STACK_TAG]}"
    if kind := controllers(tags):
        return kind
    if "aws:cloudformation:stack-name" in tags:
        return f"CloudFormation stack {tags['aws:cloudformation:stack-name']}"
    if any("terraform" in f"{key} {value}".lower() for key, value in tags.items()):
        return "Terraform"
    return ""


def controllers(tags: Mapping[str, str]) -> str:
    """Return which object of which cluster a controller keeps something for; empty where no tag says that one does."""
    kinds = [kind for key in tags for begin, kind in _KINDS.items() if key.startswith(begin)]
    clusters = [tags[key] for key in _CLUSTERS if key in tags]
    if not kinds and not clusters:
        return ""
    names = [value for key, value in tags.items() if key.endswith(".k8s.aws/stack")]
    of = " ".join([*(kinds or ["an object"])[:1], *names[:1]])
    return f"{of} of the cluster {clusters[0]}" if clusters else of
