"""The benchmarks measure what they say: a run that moved less than all is no result."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import rollback


def test_a_measured_rollback_moved_every_rule_and_one_that_moved_another_number_is_none() -> None:
    with rollback.standing() as (stack, contender):
        rollback.measure(stack, contender)
        assert list(stack.weights().values()) == [{rollback.OLD: 100, rollback.NEW: 0}] * 10
        with pytest.raises(SystemExit, match="11 rules were to be moved, and AWS accepted 10"):
            rollback.measure(stack, replace(contender, moves=11))
