"""A promotion: the verdicts, and the way of a cluster through its steps by what CloudWatch says of it.

AWS is the emulated one, and the clock runs when the command waits. The engine is a stand-in here;
tests/engine/test_promote.py has the real one, under load.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cutover.aws import minutes
from cutover.aws.hold import hold_name
from cutover.aws.session import LiveError
from cutover.commands import moving, rollback, rollout
from cutover.commands import promote as command
from cutover.commands.app import app
from cutover.commands.terminal import Code
from cutover.engine.project import Project
from cutover.rules.promote import Verdict, disturbed, entry, judge, weights_at
from cutover.rules.shift import ShiftError
from cutover.rules.traffic import Traffic, together
from rehearsal.world.metrics import NAMESPACE, Meter
from settings.operation import RolloutMetrics
from tests.conftest import PROJECT, stack_config
from tests.cutover.documents import as_documented
from tests.cutover.fake_engine import Engine
from tests.cutover.tagged import OWNER, reach, tagged
from tests.rehearsal.emulated import running

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from cutover.rules import traffic

OLD, NEW = "v1-35", "v1-36"
ROUTES = ("web", "grpc-api")
WELL = Traffic(10_000, 0, 0.1)
NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("new", "old", "verdict", "said"),
    [
        (Traffic(1000, 0, 0.1), WELL, Verdict.PASSED, "success rate 100.00% >= 99.00%"),
        (Traffic(1000, 10, 0.1), WELL, Verdict.PASSED, "success rate 99.00% >= 99.00%"),
        (Traffic(1000, 49, 0.1), WELL, Verdict.FAILED, "success rate 95.10% < 99.00%, 1000 requests"),
        (Traffic(1000, 49, 0.1), Traffic(1000, 45, 0.1), Verdict.PASSED, "success rate 95.10% >= 94.50%"),
        (Traffic(1000, 0, 0.15), WELL, Verdict.PASSED, "p99 150 ms <= 1.5 x 100 ms"),
        (Traffic(1000, 0, 0.16), WELL, Verdict.FAILED, "p99 160 ms > 1.5 x 100 ms"),
        (Traffic(), WELL, Verdict.INCONCLUSIVE, "no requests < 200"),
        (Traffic(199, 0, 0.1), WELL, Verdict.INCONCLUSIVE, "199 requests < 200"),
        (Traffic(20, 1, 0.1), WELL, Verdict.INCONCLUSIVE, "20 requests < 200"),
        (Traffic(20, 3, 0.1), WELL, Verdict.FAILED, "success rate 85.00% < 99.00%, 20 requests"),
        (Traffic(1000, 0, 0.1), Traffic(), Verdict.INCONCLUSIVE, "no requests to the old clusters"),
        (Traffic(1000, 0, None), WELL, Verdict.INCONCLUSIVE, "no response times"),
        (Traffic(1000, 0, 9.0), None, Verdict.PASSED, "success rate 100.00% >= 99.00%"),
        (Traffic(1000, 49, 0.1), None, Verdict.FAILED, "success rate 95.10% < 99.00%"),
    ],
)
def test_a_new_group_is_judged_by_the_old_ones(new: Traffic, old: Traffic | None, verdict: Verdict, said: str) -> None:
    judgement = judge("web", new, old, RolloutMetrics())
    assert judgement.verdict is verdict
    assert said in judgement.said


@pytest.mark.parametrize(
    ("was", "now", "quiet"),
    [
        (Traffic(1000, 0), Traffic(1000, 0), True),
        (Traffic(1000, 0), Traffic(1000, 1), False),
        (Traffic(1000, 100), Traffic(1000, 130), True),
        (Traffic(1000, 100), Traffic(1000, 131), False),
        (Traffic(1000, 100), Traffic(10_000, 1030), True),
        (Traffic(), Traffic(1000, 1), False),
    ],
)
def test_a_load_balancer_that_fails_more_than_before_and_by_chance_is_noticed(
    was: Traffic, now: Traffic, quiet: bool
) -> None:
    assert (disturbed(was, now) == "") is quiet


@pytest.mark.parametrize(
    ("shares", "begins"),
    [
        ([0, 0], (1, False)),
        ([1, 1], (1, True)),
        ([10, 1], (10, False)),
        ([10, 10], (10, True)),
        ([Fraction(100, 3)] * 2, (50, False)),
        ([100, 100], (100, True)),
    ],
)
def test_a_promotion_goes_on_at_the_step_that_is_live_and_takes_no_route_back(
    shares: list[int], begins: tuple[int, bool]
) -> None:
    assert entry((1, 10, 50, 100), [Fraction(share) for share in shares]) == begins


def test_a_step_gives_the_others_the_rest_in_their_proportions() -> None:
    assert weights_at({"a": 60, "b": 30, "c": 0}, "c", 10) == {"a": 60, "b": 30, "c": 10}
    assert weights_at({"a": 1, "b": 0}, "b", 100) == {"a": 0, "b": 100}
    with pytest.raises(ShiftError):
        weights_at({"a": 0, "b": 1}, "b", 10)


@pytest.mark.parametrize(
    ("since", "now", "whole"),
    [
        (30, 210, (60, 120)),
        (0, 180, (0, 120)),
        (59, 239, (60, 120)),
        (0, 100, None),
    ],
)
def test_the_newest_whole_minute_is_left_out_and_so_is_the_one_in_which_the_step_came(
    since: int, now: int, whole: tuple[int, int] | None
) -> None:
    at = [NOON + timedelta(seconds=second) for second in (since, now)]
    expected = whole and tuple(NOON + timedelta(seconds=second) for second in whole)
    assert minutes.window(at[0], at[1]) == expected


def test_groups_together_have_the_mean_of_their_response_times_by_requests() -> None:
    whole = together([Traffic(300, 1, 0.1), Traffic(100, 2, 0.5), Traffic()])
    assert (whole.requests, whole.failures, whole.latency) == (400, 3, pytest.approx(0.2))


class _Partial:
    """Stands for an account whose CloudWatch gives partial data at first."""

    def __init__(self, times: int) -> None:
        self.left = times

    def client(self, *_: Any, **__: Any) -> Any:
        return self

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        state = "PartialData" if self.left else "Complete"
        self.left -= 1
        data = {"Timestamps": [NOON], "Values": [7.0], "StatusCode": state}
        return [{"MetricDataResults": [{"Id": query["Id"], **data} for query in asked["MetricDataQueries"]]}]


def _read(account: Any) -> Traffic:
    return minutes.read(account, {"group": "balancer"}, NOON, NOON + MINUTE).groups["group"]


def test_partial_data_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert _read(_Partial(1)).requests == 7
    with pytest.raises(LiveError, match="partial data"):
        _read(_Partial(10))


@dataclass
class Clock:
    """The time of a promotion, and what the load balancer tells CloudWatch in it.

    ``errors`` is the share of requests that fail by cluster, ``unanswered`` the same without an answer of a target;
    ``own`` is how many requests a minute the load balancer itself fails. Nobody waits more than ``patience`` times.
    """

    engine: Engine
    now: datetime = NOON
    rate: int = 5000
    errors: dict[str, float] = field(default_factory=dict[str, float])
    unanswered: dict[str, float] = field(default_factory=dict[str, float])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    own: int = 0
    patience: int = 20
    at_wait: Callable[[], None] = lambda: None

    def wait(self, seconds: float) -> None:
        """Let seconds pass that the command waits for."""
        self.patience -= 1
        if self.patience < 0:
            raise KeyboardInterrupt
        self.at_wait()
        self.pass_by(timedelta(seconds=seconds))

    def pass_by(self, time: timedelta) -> None:
        """Let time pass, and the minutes that are over then be told."""
        minute = self.now.replace(second=0)
        self.now += time
        over = [minute + number * MINUTE for number in range((self.now - minute) // MINUTE)]
        if over:
            self._publish(over)

    def _publish(self, minutes: Sequence[datetime]) -> None:
        stack = self.engine.tagged
        told: list[_Told] = []
        for route, weights in stack.weights().items():
            for cluster, weight in weights.items():
                count = self.rate * weight // sum(weights.values())
                failing, silent = (int(count * of.get(cluster, 0)) for of in (self.errors, self.unanswered))
                told.append((stack.groups[route, cluster], count, failing, silent, self.seconds.get(cluster, 0.05)))
        alike = _metrics(stack.cloud.balancer, tuple(told), self.own)
        if data := [{**one, "Timestamp": minute} for minute in minutes for one in alike]:
            stack.cloud.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)


_Told = tuple[str, int, int, int, float]  # a group's requests, those that fail, those without an answer, and seconds


@cache  # one minute is like the next, and has ten thousand requests
def _metrics(balancer: str, told: tuple[_Told, ...], own: int) -> list[dict[str, Any]]:
    meter = Meter()
    for group, count, failing, silent, seconds in told:
        for number in range(count):
            meter.sent(balancer, group)
            if number < silent:
                meter.failed(balancer)
            else:
                meter.answered(balancer, group, 500 if number < silent + failing else 200, seconds)
    for _ in range(own):
        meter.failed(balancer)
    return meter.take(NOON, {})


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Clock]:
    """Give a stack at 100 to 0 with healthy targets, and an hour of traffic behind it."""
    with running(tmp_path) as cloud, tagged(cloud, ROUTES, {OLD: 100, NEW: 0}) as stack:
        reach(cloud, monkeypatch)
        for cluster in (OLD, NEW):
            stack.heal(cluster, 4)
        engine = Engine(tmp_path, stack, {"rollout": {"steps": [10, 100]}})
        engine.write_weights({OLD: 100, NEW: 0})
        clock = Clock(engine)
        monkeypatch.setattr(Project, "find", lambda *_: engine)
        monkeypatch.setattr(moving, "PROPAGATION_SECONDS", 0)
        monkeypatch.setattr(rollout, "now", lambda: clock.now)
        monkeypatch.setattr(rollout, "wait", clock.wait)
        monkeypatch.setattr(rollout, "WATCH_SECONDS", 300)  # once for each hold, so that a test can count them
        monkeypatch.setattr(rollback, "_PAUSE_SECONDS", 0.0)
        clock.pass_by(5 * MINUTE)
        yield clock


def promote(*more: str, key: str = NEW) -> Any:
    return CliRunner().invoke(app, ["promote", key, "--yes", *more])


def live(clock: Clock) -> Mapping[str, Mapping[str, int]]:
    return clock.engine.tagged.weights()


def test_a_good_cluster_goes_to_100_and_each_judgement_is_a_line(clock: Clock) -> None:
    said = promote()
    assert said.exit_code == Code.DONE, said.stderr
    assert live(clock) == {route: {OLD: 0, NEW: 100} for route in ROUTES}
    lines = said.stderr.splitlines()
    assert "Advance web v1-36 weight 10" in lines
    good = "success rate 100.00% >= 99.00%, 2000 requests, p99 50 ms <= 1.5 x 50 ms"
    assert f"Pass web v1-36 weight 10: {good}" in lines[lines.index("Advance web v1-36 weight 10") :]
    assert "Pass web v1-36 weight 100:" in said.stderr
    assert "Promotion of v1-36 completed" in said.stdout
    assert "Advance" not in said.stdout


def test_what_is_missing_or_changes_while_it_asks_ends_it_before_the_first_step(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live(clock)["grpc-api"]
    monkeypatch.setattr(command, "confirm", lambda *_, **__: clock.engine.tagged.set_weights("web", {OLD: 7, NEW: 3}))
    said = promote()
    assert (said.exit_code, "and has v1-35 7, v1-36 3" in said.stderr) == (Code.BUSY, True), said.stderr
    clock.engine.tagged.drop("web")
    said = promote()
    assert said.exit_code == Code.REFUSED, said.stderr
    assert "pulumi up --refresh --target '**::web-weighted' -s dev" in said.stderr
    assert live(clock) == {"grpc-api": before}


def test_at_100_it_is_compared_with_what_the_old_cluster_had_before(clock: Clock) -> None:
    clock.seconds[NEW] = 0.05
    clock.at_wait = lambda: clock.seconds.update({NEW: 0.5 if live(clock)["web"][NEW] == 100 else 0.05})
    said = promote("--json")
    assert said.exit_code == Code.ROLLED_BACK
    document = json.loads(said.stdout)
    as_documented("promote", document)
    last = document["judgements"][-1]
    assert (last["step"], last["verdict"], last["said"]) == (100, "failed", "p99 500 ms > 1.5 x 50 ms")
    assert last["old"]["p99Seconds"] == 0.05


def test_a_cluster_that_fails_is_rolled_back_and_the_report_says_by_which_numbers(clock: Clock) -> None:
    clock.errors[NEW] = 0.05
    said = promote()
    assert said.exit_code == Code.ROLLED_BACK, said.stderr
    assert live(clock) == {route: {OLD: 100, NEW: 0} for route in ROUTES}
    numbers = "success rate 95.00% < 99.00%"
    assert said.stderr.count(f"Halt advancement web v1-36 weight 10: {numbers}") == 2
    assert numbers in said.stdout
    assert "Promotion of v1-36 failed at 10 %: it was rolled back" in said.stdout
    hold = clock.engine.tagged.cloud.client("ssm").get_parameter(Name=hold_name(OWNER))["Parameter"]["Value"]
    assert numbers in json.loads(hold)["why"]


def test_a_rollback_that_fails_is_not_called_one(clock: Clock) -> None:
    clock.errors[NEW] = 0.05
    cloud = clock.engine.tagged.cloud

    def forbid() -> None:
        cloud.fault("ModifyRule", code="AccessDenied", message="no", remaining=1000, status=403)
        clock.engine.stops_after = 0

    clock.at_wait = forbid
    said = promote("--json")
    assert said.exit_code == Code.FAILED, said.stderr
    assert live(clock)["web"] == {OLD: 90, NEW: 10}
    assert json.loads(said.stdout)["outcome"] == "rollback-failed"


def test_a_rollback_that_fails_says_what_to_run(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise LiveError("throttled")

    monkeypatch.setattr(command, "go_back", fail)
    clock.errors[NEW] = 0.05
    said = promote()
    assert said.exit_code == Code.FAILED, said.stderr
    assert "Promotion of v1-36 failed at 10 %, and so did its rollback: errors go on." in said.stdout
    assert "Run now: cutover rollback -s dev --to v1-35 --yes" in said.stderr


def test_a_rollback_that_is_unfinished_is_one_all_the_same(clock: Clock) -> None:
    clock.errors[NEW] = 0.05
    fault = {"service": "ssm", "action": "PutParameter", "status": 400, "code": "AccessDeniedException"}
    clock.engine.tagged.cloud.store.put("fault", "no hold", {**fault, "message": "not allowed", "remaining": 100})
    said = promote()
    assert said.exit_code == Code.UNFINISHED, said.stderr
    assert live(clock)["web"] == {OLD: 100, NEW: 0}
    assert "it was rolled back, but for what is told above" in " ".join(said.stdout.split())


def test_its_rollback_leaves_a_route_alone_that_it_did_not_move(clock: Clock) -> None:
    clock.engine.changes["routes.web.weights"] = {OLD: 40, NEW: 60}
    clock.engine.tagged.set_weights("web", {OLD: 40, NEW: 60})
    clock.errors[NEW] = 0.05
    said = promote()
    assert said.exit_code == Code.ROLLED_BACK, said.stderr
    assert live(clock) == {"web": {OLD: 40, NEW: 60}, "grpc-api": {OLD: 100, NEW: 0}}
    hold = clock.engine.tagged.cloud.client("ssm").get_parameter(Name=hold_name(OWNER))["Parameter"]["Value"]
    assert json.loads(hold)["weights"] == live(clock)


def test_requests_that_no_target_answered_are_failures(clock: Clock) -> None:
    clock.unanswered[NEW] = 0.05
    said = promote("--json")
    assert said.exit_code == Code.ROLLED_BACK, said.stderr
    assert "success rate 95.00% < 99.00%" in said.stderr
    assert json.loads(said.stdout)["outcome"] == "rolled-back"


def test_one_judgement_that_fails_is_judged_again_on_fresh_minutes(clock: Clock) -> None:
    clock.errors[NEW] = 0.05

    def heal() -> None:
        if live(clock)["web"][NEW] and clock.patience < 19:
            clock.errors.clear()

    clock.at_wait = heal
    said = promote()
    assert said.exit_code == Code.DONE, said.stderr
    assert said.stderr.count("Halt advancement web") == 1


def test_without_requests_it_holds_and_goes_on_where_it_was_once_they_come(clock: Clock) -> None:
    clock.rate, clock.patience = 0, 3
    held = promote()
    assert held.exit_code == Code.INTERRUPTED, held.stderr
    assert held.stderr.count("Hold web v1-36 weight 10: no requests < 200") == 3
    assert live(clock) == {route: {OLD: 90, NEW: 10} for route in ROUTES}
    clock.rate, clock.patience = 5000, 20
    said = promote()
    assert said.exit_code == Code.DONE, said.stderr
    assert "goes on at 10, 100 %" in said.stderr
    assert "weight 10\n" not in said.stderr
    assert "Pass web v1-36 weight 10:" in said.stderr
    assert live(clock)["web"] == {OLD: 0, NEW: 100}


def test_too_few_requests_add_up(clock: Clock) -> None:
    clock.rate = 300  # 30 a minute at 10 %, in windows of four, and then of nine minutes
    said = promote()
    assert said.exit_code == Code.DONE, said.stderr
    assert said.stderr.count("Hold web v1-36 weight 10:") == 1


def test_a_step_that_one_route_missed_is_taken_again(clock: Clock) -> None:
    clock.engine.write_weights({OLD: 90, NEW: 10})
    clock.engine.tagged.set_weights("web", {OLD: 90, NEW: 10})
    said = promote()
    assert said.exit_code == Code.DONE, said.stderr
    assert "Advance grpc-api v1-36 weight 10" in said.stderr


def test_killed_at_the_last_step_it_goes_on_by_what_the_old_cluster_had_in_the_last_hour(clock: Clock) -> None:
    clock.engine.write_weights({OLD: 0, NEW: 100})
    for route in ROUTES:
        clock.engine.tagged.set_weights(route, {OLD: 0, NEW: 100})
    said = promote("--json")
    assert said.exit_code == Code.DONE, said.stderr
    assert [one["old"]["requests"] > 0 for one in json.loads(said.stdout)["judgements"]] == [True, True]


def test_more_errors_of_the_load_balancer_itself_hold(clock: Clock) -> None:
    clock.at_wait = lambda: setattr(clock, "own", 50 if clock.patience > 16 else 0)
    said = promote()
    assert said.exit_code == Code.DONE, said.stderr
    assert "Hold v1-36 weight 10: the load balancer itself failed" in said.stderr


@pytest.mark.usefixtures("clock")
def test_a_reading_that_fails_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, times = minutes.read, iter(range(100))

    def read(*asked: Any) -> traffic.Reading:
        if next(times) == 1:  # the second is the first judgement
            raise LiveError("throttled")
        return reads(*asked)

    monkeypatch.setattr(minutes, "read", read)
    said = promote()
    assert said.exit_code == Code.DONE, said.stderr
    assert "Hold v1-36 weight 10: AWS could not be read: throttled" in said.stderr


@pytest.mark.parametrize("at", [0, 2])  # before the first step, and before the second
@pytest.mark.usefixtures("clock")
def test_a_reading_that_fails_before_a_step_holds_and_is_tried_again(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    reads, times = minutes.read, iter(range(100))

    def read(*asked: Any) -> traffic.Reading:
        if next(times) == at:
            raise LiveError("throttled")
        return reads(*asked)

    monkeypatch.setattr(minutes, "read", read)
    said = promote()
    assert said.exit_code == Code.DONE, said.stderr
    assert f"Hold v1-36 before weight {100 if at else 10}: AWS could not be read: throttled" in said.stderr


def test_weights_that_somebody_else_moves_end_it(clock: Clock) -> None:
    clock.at_wait = lambda: clock.engine.tagged.set_weights("web", {OLD: 70, NEW: 30})
    said = promote()
    assert said.exit_code == Code.BUSY
    assert "somebody else has moved the weights away from 10 %:" in said.stderr
    assert "web: v1-35 70, v1-36 30" in said.stderr


def test_a_rollback_by_somebody_else_ends_it(clock: Clock) -> None:
    def roll_back() -> None:
        hold = {"weights": {}, "who": "sre", "why": "5xx", "when": "2026-11-24T12:00Z"}
        clock.engine.tagged.cloud.client("ssm").put_parameter(
            Name=hold_name(OWNER), Value=json.dumps(hold), Type="String"
        )

    clock.at_wait = roll_back
    said = promote()
    assert said.exit_code == Code.BUSY
    assert "a rollback of 2026-11-24T12:00Z by sre (5xx) holds the weights" in said.stderr
    assert "cutover release -s dev" in said.stderr


def test_whatever_ends_it_the_judgements_are_reported(clock: Clock) -> None:
    def move() -> None:
        if live(clock)["web"][NEW] == 100:
            clock.engine.tagged.set_weights("web", {OLD: 70, NEW: 30})

    clock.at_wait = move
    said = promote("--json")
    assert said.exit_code == Code.BUSY
    document = json.loads(said.stdout)
    assert (document["outcome"], document["step"]) == ("ended", 100)
    assert {one["step"] for one in document["judgements"]} == {10}
    clock.patience = 0
    clock.engine.write_weights({OLD: 0, NEW: 100})
    clock.engine.tagged.set_weights("web", {OLD: 0, NEW: 100})
    said = promote()
    assert said.exit_code == Code.INTERRUPTED
    assert "Promotion of v1-36 ended at 100 %, before its time." in said.stdout
    assert "to go on from what is live: cutover promote v1-36 -s dev" in said.stderr


def dies(clock: Clock, cluster: str = NEW) -> None:
    clock.engine.tagged.heal(cluster, 0)


def went_back(clock: Clock, said: Any) -> None:
    assert said.exit_code == Code.ROLLED_BACK, said.stderr
    assert live(clock) == {route: {OLD: 100, NEW: 0} for route in ROUTES}
    hold = clock.engine.tagged.cloud.client("ssm").get_parameter(Name=hold_name(OWNER))["Parameter"]["Value"]
    assert json.loads(hold)["weights"] == live(clock)


@pytest.mark.parametrize(
    ("phase", "step"),
    [
        ("before the preview", 100),
        ("before the update", 10),
        ("before the update", 100),
        ("while it spreads", 10),
        ("while it holds", 10),
        ("while it holds", 100),
    ],
)
def test_whenever_in_a_step_the_new_cluster_dies_it_is_rolled_back(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, step: int, phase: str
) -> None:
    engine = clock.engine

    def plan() -> None:
        if step == engine.settings().weights[NEW]:
            dies(clock)

    def spread(_: float) -> None:
        if live(clock)["web"][NEW] == step:
            dies(clock)

    if phase == "before the preview":
        carry_out = command.carry_out

        def late(*asked: Any, **how: Any) -> Any:
            if live(clock)["web"][NEW]:
                dies(clock)
            return carry_out(*asked, **how)

        monkeypatch.setattr(command, "carry_out", late)
    elif phase == "before the update":
        engine.at_preview = plan
    elif phase == "while it spreads":
        monkeypatch.setattr("time.sleep", spread)
    else:
        clock.at_wait = lambda: spread(0)
    went_back(clock, promote())


def test_a_step_that_no_longer_has_most_of_its_targets_is_rolled_back(clock: Clock) -> None:
    clock.at_wait = lambda: clock.engine.tagged.heal(NEW, 1, "web")
    said = promote("--json")
    went_back(clock, said)
    assert json.loads(said.stdout)["why"] == "web: 1 of 4 targets of v1-36 are left healthy, and it has 10 %"


def test_a_shift_that_fails_midway_is_rolled_back(clock: Clock) -> None:
    clock.engine.stops_after = 1
    said = promote()
    went_back(clock, said)
    assert "Promotion of v1-36 failed at 10 %: it was rolled back." in said.stdout


def test_a_fault_of_the_program_itself_leaves_nothing_on_a_cluster_that_nobody_judges(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout, "judge", lambda *_: 1 // 0)
    said = promote()
    went_back(clock, said)
    assert "the promotion itself failed: ZeroDivisionError" in said.stderr


def test_it_does_not_go_back_to_a_cluster_that_is_dead_from_one_that_is_well(clock: Clock) -> None:
    clock.at_wait = lambda: dies(clock, OLD)
    said = promote()
    assert said.exit_code == Code.FAILED, said.stderr
    assert live(clock)["web"] == {OLD: 90, NEW: 10}
    assert "web: no target of v1-35 is healthy, and it has 90 %" in said.stderr
    assert "cutover shift v1-36=100 -s dev --yes" in said.stderr


def test_health_that_cannot_be_read_holds_for_a_quarter_of_an_hour_and_then_says_where_it_is(clock: Clock) -> None:
    cloud = clock.engine.tagged.cloud
    clock.at_wait = lambda: cloud.fault(
        "DescribeTargetHealth", code="AccessDenied", message="no", remaining=1000, status=403
    )
    said = promote()
    assert said.exit_code == Code.FAILED, said.stderr
    assert live(clock)["web"] == {OLD: 90, NEW: 10}
    assert said.stderr.count("Hold v1-36: the health of what serves could not be read") == 1
    assert "had 10 % when it was last seen" in said.stderr
    assert "cutover rollback -s dev --yes" in said.stderr


def test_an_unknown_cluster_is_refused_with_those_that_there_are(clock: Clock) -> None:
    said = promote(key="v1-37")
    assert said.exit_code == Code.USAGE
    assert "There are v1-35, v1-36" in said.stderr
    assert live(clock)["web"] == {OLD: 100, NEW: 0}


def test_what_cannot_be_judged_is_said_at_the_start(clock: Clock) -> None:
    clock.engine.changes["routes.web.weights"] = {OLD: 100, NEW: 0}
    clock.patience = 0
    said = promote().stderr
    assert "web: has weights of its own, and stays. To move it: cutover shift v1-36=... --route web -s dev" in said
    assert "grpc-api: a gRPC failure is HTTP 200 to the load balancer, and cannot be judged here" in said


def test_the_only_cluster_is_not_promoted_at_all(clock: Clock) -> None:
    clock.engine.changes |= {"clusters": {NEW: stack_config("dev")[f"{PROJECT}:clusters"][NEW]}}
    clock.engine.write_weights({NEW: 100})
    said = promote()
    assert said.exit_code == Code.USAGE
    assert "v1-36 is the only cluster in Pulumi.dev.yaml" in said.stderr
    assert "Add the next cluster" in said.stderr


def test_one_that_ends_before_a_judgement_shows_no_table(clock: Clock) -> None:
    clock.patience = 0
    said = promote()
    assert said.stdout.splitlines() == ["Promotion of v1-36 ended at 10 %, before its time."]
