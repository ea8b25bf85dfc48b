"""Whose something in AWS is: a project's and a stack's. Two projects may have one stack name in one account.

Owns the tags by which that is told, those by which the stack's things are found in AWS without state and stack file
(the gate, a cluster's controller and a retirement rest on them: never rename one), and those that nobody else may set.
Refuses to read AWS (cutover/aws/live.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STACK_TAG = "eks-cutover:stack"
PROJECT_TAG = "eks-cutover:project"
ROUTE_TAG = "eks-cutover:route"
CLUSTER_TAG = "eks-cutover:cluster"
ANSWER_TAG = "eks-cutover:answer"
SIZES_TAG = "eks-cutover:sizes"
"""Of a node group: minSize/desiredSize/maxSize as the stack file had them when they were applied last."""

_PROVIDERS_TAG = "pulumi:project"  # on whatever the provider makes; older versions have no other
_RESERVED = ("eks-cutover:", "pulumi:project", "pulumi:stack", "aws:")


@dataclass(frozen=True)
class Owner:
    """One stack of one project.

    ``elsewhere`` are load balancers, by name, that others made and own, and on which it has rules: nothing there is
    marked as its own but those rules. They tell no two owners apart.
    """

    project: str
    stack: str
    elsewhere: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.project}/{self.stack}"

    @property
    def tags(self) -> dict[str, str]:
        """What marks a thing as this owner's."""
        return {PROJECT_TAG: self.project, STACK_TAG: self.stack}

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Tell whether a thing is marked as this owner's, project and stack."""
        return all(tags.get(key) == value for key, value in self.tags.items())

    def named_by(self, tags: Mapping[str, str]) -> bool:
        """Tell whether a thing is marked with the stack's name, whatever its project."""
        return tags.get(STACK_TAG) == self.stack


def project_of(tags: Mapping[str, str]) -> str | None:
    """Return the project that a thing is of, or None where nothing tells."""
    return tags.get(PROJECT_TAG, tags.get(_PROVIDERS_TAG))


def is_reserved(key: str) -> bool:
    """Tell whether a tag is the program's, Pulumi's or AWS's own. IAM compares keys without case, so this does too."""
    return key.lower().startswith(_RESERVED)
