"""The rule of the gate: what moves, what does not, what a refusal says. Ordinary moves: test_operations.py."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import gate as simulation
from cutover.rules.evidence import Carried, Evidence
from cutover.rules.gate import furthest, grounds, judge, need, shares
from cutover.rules.move import Group, Hold, Move, Policy

OLD, NEW = "arn:old", "arn:new"
POLICY = Policy()
AT = datetime(2026, 11, 25, 14, 5, tzinfo=UTC)
# Ten targets of the old cluster carry 100 requests a second, and have carried a fifth more.
EVIDENCE = Evidence(
    rate=100,
    busiest=Carried(120, AT),
    own={OLD: Carried(12, AT, OLD)},
    best=Carried(12, AT, OLD),
    part=0.1,
    seen={OLD: 1.0, NEW: 0.0},
)


def _move(live: tuple[int, int] | None, wanted: tuple[int, int], old: int = 10, new: int = 10) -> Move:
    return Move(
        route="web",
        live=None if live is None else {OLD: live[0], NEW: live[1]},
        wanted={OLD: wanted[0], NEW: wanted[1]},
        groups={
            OLD: Group(cluster="v1-35", units=old, registered=old > 0),
            NEW: Group(cluster="v1-36", units=new, registered=new > 0),
        },
        evidence=EVIDENCE,
    )


def _allowed(move: Move, hold: Hold | None = None) -> bool:
    return judge([move], POLICY, hold) == []


def test_a_refusal_says_what_is_missing_in_targets_and_in_requests_how_far_it_may_go_and_the_way_back() -> None:
    (refusal,) = judge([_move((100, 0), (50, 50), new=3)], POLICY)
    assert str(refusal) == (
        "web: v1-36 has 3 healthy targets and would need 5 for 50% (each of 3 would get 16.7 requests/s; one of v1-35 "
        "has carried 12 (2026-11-25 14:05 UTC), none has had more than 10% of the route; headroom 1.2; at least 2). "
        "Let v1-36 reach 5 first (an autoscaler at a small share stays at its minimum: raise the minimum), then run "
        "the same again; up to 30% passes as it is. To go back in an emergency, cutover rollback asks nothing."
    )


def test_what_is_allowed_says_on_which_evidence_and_what_the_busiest_minutes_would_need() -> None:
    assert grounds(_move((100, 0), (50, 50)), POLICY) == [
        "web: v1-36 may take 50% with 10 healthy targets: each of 10 would get 5 requests/s; one of v1-35 has carried "
        "12 (2026-11-25 14:05 UTC), none has had more than 10% of the route; headroom 1.2; at least 2. In the week's "
        "busiest five minutes (120 requests/s, 2026-11-25 14:05 UTC) it would need 6"
    ]
    assert grounds(_move((50, 50), (50, 50)), POLICY) == []
    (dead,) = grounds(_move((0, 100), (100, 0), old=2, new=0), POLICY)
    assert dead == "web: v1-35 may take 100% with 2 healthy targets, since what gives it up is worse off"


def test_a_group_that_stands_where_no_request_reaches_a_target_counts_the_requests_that_were_lost() -> None:
    """Half of the requests get 503, which are counted nowhere: the route is twice as large as CloudWatch has it."""
    move = _move((50, 50), (100, 0), old=9, new=0)
    assert need(move, POLICY, OLD, 1) == 16  # 200 requests a second, and 13.2 each
    unhealthy = replace(move, groups={**move.groups, NEW: Group(cluster="v1-36", registered=True)})
    assert need(unhealthy, POLICY, OLD, 1) == 8


def test_how_far_a_move_may_go_is_what_passes() -> None:
    move = _move((100, 0), (0, 100), new=3)
    percent = furthest(move, POLICY, NEW)
    assert _allowed(replace(move, wanted={OLD: 100 - percent, NEW: percent}))
    assert not _allowed(replace(move, wanted={OLD: 99 - percent, NEW: percent + 1}))
    assert furthest(_move((100, 0), (50, 50)), POLICY, NEW) == 50
    assert furthest(_move((95, 5), (50, 50), new=0), POLICY, NEW) == 5


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
    fresh = replace(_move(None, (100, 0), old=0), evidence=None, unproven="CloudWatch was not asked")
    assert _allowed(replace(fresh, first=True))
    assert not _allowed(fresh)
    assert _allowed(replace(fresh, groups={OLD: Group(cluster="v1-35", units=2)}))


def test_need_is_not_one_too_many_by_binary_fractions() -> None:
    assert need(replace(_move((1, 0), (1, 0)), evidence=replace(EVIDENCE, part=0.2)), POLICY, NEW, 0.5) == 5
    assert need(replace(_move((1, 0), (1, 0)), capacity=120), POLICY, NEW, 0.05) == 6


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
    assert _allowed(_move((50, 50), (100, 0)), hold)
    assert _allowed(_move((50, 50), (50, 50)), hold)


# --- properties -------------------------------------------------------------------------------------------------------

_ARNS = [f"arn:{index}" for index in range(4)]


@st.composite
def _evidence(draw: st.DrawFn) -> Evidence | None:
    """Anything that seven days may prove of four groups, or nothing."""
    rates = st.floats(0.01, 1000)
    own = {
        arn: Carried(draw(rates), AT, arn) for arn in draw(st.lists(st.sampled_from(_ARNS), min_size=1, unique=True))
    }
    if draw(st.booleans()):
        return None
    return Evidence(
        rate=draw(st.just(0.0) | rates),
        busiest=Carried(draw(rates), AT),
        own=own,
        best=max(own.values(), key=lambda one: one.rate),
        part=draw(st.floats(0.001, 1)),
        seen={arn: draw(st.floats(0, 1)) for arn in _ARNS},
        idle=draw(st.booleans()),
    )


@st.composite
def _moves(draw: st.DrawFn) -> Move:
    """Any readable state of a route over four clusters, and any wish."""
    weights = st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any)
    zones = st.frozensets(st.sampled_from("acd"))
    groups = {
        arn: Group(
            cluster=f"v1-3{index}", units=draw(st.integers(0, 30)), registered=draw(st.booleans()), zones=draw(zones)
        )
        for index, arn in enumerate(_ARNS)
    }
    return Move(
        route="web",
        live=dict(zip(_ARNS, draw(weights), strict=True)),
        wanted=dict(zip(_ARNS, draw(weights), strict=True)),
        groups=groups,
        evidence=draw(_evidence()),
        capacity=draw(st.none() | st.integers(1, 40)),
    )


@given(_moves())
def test_repeating_a_live_state_is_always_allowed(move: Move) -> None:
    assert _allowed(replace(move, wanted=move.live or {}), Hold())


@given(_moves(), st.sampled_from(_ARNS))
def test_a_dead_group_never_gains(move: Move, dead: str) -> None:
    move = replace(move, groups={**move.groups, dead: Group(cluster="dead", registered=True)})
    if shares(move.wanted).get(dead, 0) > shares(move.live or {}).get(dead, 0):
        assert not _allowed(move)


@given(_moves(), st.sampled_from(_ARNS))
def test_unreadable_health_never_passes(move: Move, blind: str) -> None:
    groups = {**move.groups, blind: replace(move.groups[blind], unreadable="timeout")}
    moved = shares(move.live or {}) != shares(move.wanted)
    if moved and (move.wanted[blind] or (move.live or {})[blind]):
        assert not _allowed(replace(move, groups=groups))


@given(_moves())
def test_all_zero_and_unknown_groups_never_pass(move: Move) -> None:
    assert not _allowed(replace(move, wanted=dict.fromkeys(_ARNS, 0)))
    assert not _allowed(replace(move, unknown=["v1-39"]))


@given(_moves(), st.integers(1, 99))
def test_what_refuses_a_move_refuses_every_longer_one_in_its_direction(move: Move, percent: int) -> None:
    live, wanted = shares(move.live or {}), shares(move.wanted)
    shorter = {
        arn: (100 - percent) * live.get(arn, Fraction()) + percent * wanted.get(arn, Fraction()) for arn in _ARNS
    }
    scale = math.lcm(*(share.denominator for share in shorter.values()))
    if not _allowed(replace(move, wanted={arn: int(share * scale) for arn, share in shorter.items()})):
        assert not _allowed(move)


@given(_moves(), st.permutations(_ARNS))
def test_the_order_of_the_clusters_does_not_matter(move: Move, order: list[str]) -> None:
    turned = replace(
        move,
        live={arn: (move.live or {})[arn] for arn in order},
        wanted={arn: move.wanted[arn] for arn in order},
        groups={arn: move.groups[arn] for arn in order},
    )
    assert _allowed(turned) == _allowed(move)


@given(_moves(), st.sampled_from(_ARNS), st.integers(0, 20))
def test_a_dead_group_that_gives_too_excuses_nothing_that_a_well_one_gives(move: Move, dead: str, has: int) -> None:
    live = {**(move.live or {}), dead: has + 1}
    wanted = {**move.wanted, dead: 0}
    if not any(wanted.values()):
        return
    groups = {**move.groups, dead: Group(cluster="dead", registered=True)}
    both = replace(move, live=live, wanted=wanted, groups=groups, capacity=move.capacity or 10)
    well = [
        arn
        for arn, share in shares(live).items()
        if arn != dead and shares(wanted).get(arn, 0) < share and groups[arn].units >= need(both, POLICY, arn, share)
        if not groups[arn].zones or len(groups[arn].zones) > 1
    ]
    taken = [arn for arn, share in shares(wanted).items() if share > shares(live).get(arn, 0)]
    if well and any(groups[arn].units < need(both, POLICY, arn, shares(wanted)[arn]) for arn in taken):
        assert not _allowed(both)


@given(st.integers(0, 10**9))
def test_an_allowed_move_loses_no_more_where_targets_are_worth_what_was_proven(seed: int) -> None:
    _, harmful = simulation.run(3, simulation.WORTH["what was proven"], seed)
    assert harmful == []


def test_the_simulation_sees_harm_where_targets_are_worth_less_than_anybody_can_know() -> None:
    _, harmful = simulation.run(600, simulation.WORTH["less"])
    assert harmful


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
    assert "reach 5 first" in refusal.cure
    assert "run pods in a second zone" in refusal.cure
