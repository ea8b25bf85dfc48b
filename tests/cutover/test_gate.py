"""The rule of the gate: what moves, what does not, and what a refusal says."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.gate import Group, Hold, Move, Policy, baseline, judge, need, shares, worst

OLD, NEW = "arn:old", "arn:new"
POLICY = Policy()


def _move(
    live: tuple[int, int] | None, wanted: tuple[int, int], old: int = 10, new: int = 10, *, peak: int | None = 10
) -> Move:
    return Move(
        route="web",
        live=None if live is None else {OLD: live[0], NEW: live[1]},
        wanted={OLD: wanted[0], NEW: wanted[1]},
        groups={OLD: Group(cluster="v1-35", units=old), NEW: Group(cluster="v1-36", units=new)},
        peak=peak,
    )


def _allowed(move: Move, hold: Hold | None = None) -> bool:
    return judge([move], POLICY, hold) == []


def test_a_raise_passes_when_the_new_cluster_covers_its_share() -> None:
    assert _allowed(_move((100, 0), (50, 50), new=6))  # 1.2 x 10 x 50 %


def test_a_raise_is_refused_with_route_cluster_units_need_baseline_and_cure() -> None:
    (refusal,) = judge([_move((100, 0), (50, 50), old=12, new=5)], POLICY)
    assert str(refusal) == (
        "web: v1-36 has 5 healthy targets and would need 6 for 50% (baseline 10, headroom 1.2, at least 2). Let v1-36 "
        "reach 6 first (an autoscaler at a small share stays at its minimum: raise the minimum), then run the same "
        "again."
    )


def test_the_smallest_share_needs_the_minimum() -> None:
    assert not _allowed(_move((100, 0), (999, 1), new=1))
    assert _allowed(_move((100, 0), (999, 1), new=2))


def test_a_cluster_without_a_healthy_target_gets_no_share() -> None:
    assert not _allowed(_move((100, 0), (99, 1), new=0))


def test_leaving_a_cluster_that_has_failed_passes_although_the_other_is_too_small() -> None:
    assert _allowed(_move((0, 100), (100, 0), old=3, new=0))


def test_going_back_passes_while_the_old_cluster_still_covers_it() -> None:
    assert _allowed(_move((10, 90), (100, 0), old=12, new=12))


def test_going_back_to_a_cluster_that_was_scaled_down_is_refused_while_the_new_one_is_well() -> None:
    assert not _allowed(_move((0, 100), (100, 0), old=2, new=12))


def test_the_same_shares_in_other_numbers_are_no_move() -> None:
    assert _allowed(_move((1, 1), (50, 50), old=0, new=0))


def test_all_weights_0_is_refused() -> None:
    (refusal,) = judge([_move((100, 0), (0, 0))], POLICY)
    assert refusal.reason == "all weights are 0"


def test_a_group_that_does_not_exist_yet_gets_no_share() -> None:
    (refusal,) = judge([replace(_move((100, 0), (99, 1)), unknown=["v1-37"])], POLICY)
    assert "v1-37 does not exist yet" in refusal.reason


@pytest.mark.parametrize(
    ("group", "said"),
    [
        (Group(cluster="v1-36", unreadable="Rate exceeded"), "v1-36 could not be read: Rate exceeded"),
        (Group(cluster="v1-36", units=10, checked=False), "v1-36 has its health checks switched off"),
    ],
)
def test_what_cannot_be_seen_gets_no_share(group: Group, said: str) -> None:
    move = _move((100, 0), (50, 50))
    (refusal,) = judge([replace(move, groups={**move.groups, NEW: group})], POLICY)
    assert said in refusal.reason


def test_a_route_that_is_worse_stops_every_other_route() -> None:
    good, bad = _move((100, 0), (50, 50)), replace(_move((100, 0), (50, 50), new=0), route="api")
    assert [refusal.route for refusal in judge([good, bad], POLICY)] == ["api"]


def test_a_raise_in_one_route_is_refused_although_another_is_already_down() -> None:
    down = replace(_move((0, 100), (0, 100), new=0), route="api")
    assert not judge([down], POLICY)
    assert [refusal.route for refusal in judge([down, _move((100, 0), (99, 1), new=0)], POLICY)] == ["web"]


def test_the_first_rule_of_a_load_balancer_needs_no_health_and_a_later_one_does() -> None:
    fresh = _move(None, (100, 0), old=0, peak=None)
    assert _allowed(replace(fresh, first=True))
    assert not _allowed(fresh)
    assert _allowed(_move(None, (100, 0), old=2, peak=None))


def test_the_baseline_is_declared_or_seen_lately_or_seen_now() -> None:
    move = _move((80, 20), (50, 50), old=8, new=4, peak=14)
    assert baseline(replace(move, capacity=30)) == 30
    assert baseline(move) == 14
    assert baseline(replace(move, peak=None)) == 10


def test_need_is_not_one_too_many_by_binary_fractions() -> None:
    assert need(replace(_move((1, 0), (1, 0)), capacity=100), POLICY, 0.05) == 6


def _zones(old: str, new: str) -> Move:
    move = _move((100, 0), (50, 50))
    return replace(
        move,
        groups={
            OLD: Group(cluster="v1-35", units=10, zones=frozenset(old)),
            NEW: Group(cluster="v1-36", units=10, zones=frozenset(new)),
        },
    )


def test_pods_need_two_zones_where_two_serve_now() -> None:
    (refusal,) = judge([_zones("ac", "a")], POLICY)
    assert "stand in a, while two zones serve now" in refusal.reason
    assert _allowed(_zones("ac", "ad"))
    assert _allowed(_zones("a", "c"))


def test_shares_are_exact_and_leave_out_what_gets_nothing() -> None:
    assert shares({"a": 1, "b": 2, "c": 0}) == {"a": Fraction(1, 3), "b": Fraction(2, 3)}
    assert shares({"a": 0}) == {}


def test_a_hold_refuses_all_weights_but_its_own() -> None:
    hold = Hold({"web": {"v1-35": 100, "v1-36": 0}}, who="sre", why="errors", when="2026-11-24T03:00Z")
    (refusal,) = judge([_move((100, 0), (50, 50))], POLICY, hold)
    assert "2026-11-24T03:00Z by sre (errors) holds the weights" in refusal.reason
    assert _allowed(_move((50, 50), (100, 0), old=12), hold)
    assert _allowed(_move((50, 50), (50, 50)), hold)


# --- properties -------------------------------------------------------------------------------------------------------

_ARNS = [f"arn:{index}" for index in range(4)]


@st.composite
def _moves(draw: st.DrawFn) -> Move:
    """Any readable state of a route over four clusters, and any wish."""
    weights = st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any)
    zones = st.frozensets(st.sampled_from("acd"))
    groups = {
        arn: Group(cluster=f"v1-3{index}", units=draw(st.integers(0, 30)), zones=draw(zones))
        for index, arn in enumerate(_ARNS)
    }
    return Move(
        route="web",
        live=dict(zip(_ARNS, draw(weights), strict=True)),
        wanted=dict(zip(_ARNS, draw(weights), strict=True)),
        groups=groups,
        peak=draw(st.none() | st.integers(0, 40)),
        capacity=draw(st.none() | st.integers(1, 40)),
    )


@given(_moves())
def test_a_move_that_raises_the_worst_coverage_always_passes(move: Move) -> None:
    if worst(move, POLICY, move.wanted) > worst(move, POLICY, move.live or {}):
        assert _allowed(move)


@given(_moves())
def test_repeating_a_live_state_is_always_allowed(move: Move) -> None:
    assert _allowed(replace(move, wanted=move.live or {}), Hold())


@given(_moves(), st.sampled_from(_ARNS))
def test_unreadable_health_never_passes(move: Move, blind: str) -> None:
    groups = {**move.groups, blind: replace(move.groups[blind], unreadable="timeout")}
    total = sum(move.wanted.values())
    moved = any((move.live or {})[arn] * total != w * sum((move.live or {}).values()) for arn, w in move.wanted.items())
    if moved and (move.wanted[blind] or (move.live or {})[blind]):
        assert not _allowed(replace(move, groups=groups))


@given(_moves())
def test_all_zero_and_unknown_groups_never_pass(move: Move) -> None:
    assert not _allowed(replace(move, wanted=dict.fromkeys(_ARNS, 0)))
    assert not _allowed(replace(move, unknown=["v1-39"]))


@given(_moves(), st.integers(1, 99), st.integers(1, 99))
def test_what_refuses_a_raise_refuses_every_greater_one_from_the_same_giver(move: Move, one: int, other: int) -> None:
    less, more = sorted((one, other))
    giver, taker, *rest = _ARNS
    live = {giver: 100, taker: 0, **dict.fromkeys(rest, 20)}
    smaller = replace(move, live=live, wanted={**live, giver: 100 - less, taker: less})
    greater = replace(move, live=live, wanted={**live, giver: 100 - more, taker: more})
    if not _allowed(smaller):
        assert not _allowed(greater)


@given(_moves(), st.permutations(_ARNS))
def test_the_order_of_the_clusters_does_not_matter(move: Move, order: list[str]) -> None:
    turned = replace(
        move,
        live={arn: (move.live or {})[arn] for arn in order},
        wanted={arn: move.wanted[arn] for arn in order},
        groups={arn: move.groups[arn] for arn in order},
    )
    assert _allowed(turned) == _allowed(move)


def test_the_smallest_share_is_not_called_none() -> None:
    (refusal,) = judge([_move((100, 0), (999, 1), new=1)], POLICY)
    assert "would need 2 for 0.1%" in refusal.reason


def test_a_route_that_answers_nobody_may_get_any_cluster_back() -> None:
    assert _allowed(_move((0, 0), (100, 0), old=1))


def test_a_group_that_serves_and_would_be_replaced_is_not_told_to_take_weight_0() -> None:
    move = replace(_move((100, 0), (0, 0)), unknown=["v1-35"])
    (refusal,) = judge([move], POLICY)
    assert "serves, and an empty one would take its place" in refusal.reason
    assert "Take back the edit" in refusal.cure


def test_a_foreign_group_in_a_rule_is_named_and_how_it_is_got_rid_of() -> None:
    move = replace(_move((100, 0), (50, 50)), live={OLD: 50, "arn:foreign": 50})
    (refusal,) = judge([move], POLICY)
    assert "arn:foreign has a share and is no target group of this stack" in refusal.reason
    assert "Take it out of the rule" in refusal.cure


def test_too_few_pods_in_too_few_zones_are_told_both_at_once() -> None:
    groups = {
        OLD: Group(cluster="v1-35", units=10, zones=frozenset({"a", "c"})),
        NEW: Group(cluster="v1-36", units=1, zones=frozenset({"a"})),
    }
    (refusal,) = judge([replace(_move((100, 0), (50, 50)), groups=groups)], POLICY)
    assert "all stand in a, while two zones serve now" in refusal.reason
    assert "reach 6 first" in refusal.cure
    assert "run pods in a second zone" in refusal.cure
