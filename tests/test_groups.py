"""What shares a stack runs in one process: else each of several brings the same stack up for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def test_whoever_runs_groups_of_tests_keeps_them_together(request: pytest.FixtureRequest) -> None:
    # pytest-xdist writes the group behind the name of a test, which not every version of pytest lets it.
    kept = request.node.nodeid.endswith("@tests/test_groups.py")
    assert kept == getattr(request.config.option, "loadgroup", False)
