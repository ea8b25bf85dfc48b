"""Whose something in AWS is: a project's and a stack's. Two projects may have one stack name in one account.

Owns the tags and the names by which that is told. Refuses to read AWS (cutover/live.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Owner:
    """One stack of one project."""

    project: str
    stack: str

    def __str__(self) -> str:
        return f"{self.project}/{self.stack}"
