"""A rollback and its release: where it lands, in which order it acts, and what cannot stop it."""

from __future__ import annotations

import copy
import errno
import fcntl
import getpass
import io
import json
import os
import shutil
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TextIO

import boto3
import pytest
from typer.testing import CliRunner

from cutover import calls
from cutover.__main__ import main
from cutover.aws.live import Live
from cutover.aws.writes import Outcome, Writes
from cutover.commands import opened, rollback_plan, rollback_records, terminal
from cutover.commands import rollback as rollback_command
from cutover.commands.app import app
from cutover.commands.terminal import Code
from cutover.engine.lock import Lock
from cutover.engine.project import Project
from cutover.rules.found import Found, TargetGroup, WeightedRule
from cutover.rules.gate import held
from cutover.rules.move import Group, Hold
from cutover.rules.rollback import (
    RollbackError,
    Seen,
    all_on,
    as_far_as_covered,
    elsewhere,
    enough,
    goal,
    landings,
    reached,
    to_write,
)
from cutover.rules.run import Run, Step
from rehearsal.play import stackfile
from settings.imports import LISTENER_RULE
from tests.conftest import ROOT, settings_of
from tests.cutover.documents import as_documented
from tests.cutover.spoiled import PAGE, spoiled
from tests.cutover.tagged import OWNER, STACK, Tagged, reach, tagged
from tests.rehearsal.emulated import REGION, Cloud, running

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from typer.testing import Result

OLDER, OLD, NEW = "v1-34", "v1-35", "v1-36"
HALF = {OLD: 50, NEW: 50}
ALL_OLD = {OLD: 100, NEW: 0}


def _found(hold: Hold | None = None, /, **routes: Mapping[str, int]) -> Found:
    """Return what AWS has: ARNs are ROUTE/CLUSTER, and a weight of -1 is a group that the rule does not have."""
    return Found(
        {
            route: WeightedRule(f"rule/{route}", "lb", {f"{route}/{c}": w for c, w in weights.items() if w >= 0})
            for route, weights in routes.items()
        },
        {f"{route}/{c}": TargetGroup(f"{route}/{c}", route, c, True) for route, ws in routes.items() for c in ws},
        hold,
    )


def _seen(**units: int) -> Seen:
    """Return health by ROUTE/CLUSTER with the keys' underscores, and a capacity of 12 on every route."""
    health = {name.replace("__", "/").replace("_", "-"): count for name, count in units.items()}
    return Seen(
        {arn: Group(cluster=arn.partition("/")[2], units=count) for arn, count in health.items()},
        capacities={arn.partition("/")[0]: 12 for arn in health},
    )


@pytest.mark.parametrize(
    ("weights", "to"),
    [
        ({OLD: 50, NEW: 50}, OLD),
        ({OLD: 0, NEW: 100}, OLD),
        ({OLDER: 0, OLD: 0, NEW: 100}, OLD),
        ({OLDER: 90, OLD: 0, NEW: 10}, OLDER),
        ({OLDER: 0, OLD: 100, NEW: 0}, OLDER),
        ({NEW: 50, f"{NEW}-b": 50}, NEW),
    ],
)
def test_it_goes_to_the_older_cluster_that_serves_else_to_the_next_older_one(weights: dict[str, int], to: str) -> None:
    assert goal(_found(web=weights)) == to


@pytest.mark.parametrize("weights", [{OLD: 100, NEW: 0}, {OLDER: 40, OLD: 40, NEW: 20}, {OLD: 0, NEW: 0}])
def test_without_one_way_back_it_asks_for_a_name(weights: dict[str, int]) -> None:
    with pytest.raises(RollbackError, match="--to"):
        goal(_found(web=weights))


def test_where_no_cluster_has_a_weight_it_says_so() -> None:
    with pytest.raises(RollbackError, match=r"no cluster has a weight above 0\. Nothing was moved\. Name where"):
        goal(_found(web={OLD: 0, NEW: 0}))


def test_where_every_rule_is_a_maintenance_page_it_says_so() -> None:
    found = _found(web={OLD: -1, NEW: -1})
    closed = replace(found, rules={"web": replace(found.rules["web"], instead="fixed-response 503")})
    with pytest.raises(RollbackError, match=r"forwards to any cluster: web \(fixed-response 503\)"):
        goal(closed)


def test_one_route_that_went_ahead_is_enough_to_go_back(  # and the other stays on the cluster that it is on
) -> None:
    assert goal(_found(web={OLD: 0, NEW: 100}, api={OLD: 100, NEW: 0})) == OLD


def test_under_its_own_hold_it_goes_no_further_back() -> None:
    weights = {OLDER: 0, OLD: 100, NEW: 0}
    assert goal(_found(Hold({"web": weights}), web=weights)) == OLD


def test_a_hold_that_could_not_be_read_lets_nothing_go_further_back() -> None:
    with pytest.raises(RollbackError, match=f"--to {OLDER}"):
        goal(_found(web={OLDER: 0, OLD: 100, NEW: 0}), unsure=True)
    assert goal(_found(web=HALF), unsure=True) == OLD


def test_a_cluster_that_no_rule_knows_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(RollbackError, match=f"{OLD}, {NEW}"):
        all_on(_found(web=HALF), "v1-99")


def test_a_route_without_the_cluster_stays_and_says_so() -> None:
    found = _found(web=HALF, api={OLD: -1, NEW: 100})
    api, web = landings(found, all_on(found, OLD), Seen(), "stays")
    assert (api.after, api.note) == ({NEW: 100}, "stays")
    assert web.after == ALL_OLD


def test_a_route_that_leaves_a_share_elsewhere_is_told_with_its_cure() -> None:
    found = _found(web=HALF, api={OLD: -1, NEW: 100}, shop=HALF)
    partly = {**all_on(found, OLD), "shop": {f"shop/{OLD}": 75, f"shop/{NEW}": 25}}
    api, shop = elsewhere(landings(found, partly, Seen(), ""), OLD, STACK)
    assert api.startswith(f"api stays, with 100 of 100 on {NEW}: its rule has no target group of {OLD}. Mend")
    assert api.endswith("cutover shift KEY=100 --route api -s dev")
    assert shop.startswith(f"shop keeps 25 of 100 on {NEW}, since {OLD} covers no more. Give {OLD} more")


def test_a_sticky_route_says_how_long_clients_may_stay() -> None:
    found = _found(web=HALF, api=HALF)
    api, web = landings(found, all_on(found, OLD), Seen(sticky={"web": 600}), "")
    assert "clients with a cookie stay up to 600 s" in web.note
    assert "cookie" not in api.note


def test_a_landing_has_the_numbers_of_the_gate() -> None:
    found = _found(web=HALF)
    (web,) = landings(found, all_on(found, OLD), _seen(web__v1_35=6, web__v1_36=6), "")
    assert (web.units, web.needed, web.covered) == (6, 12, Fraction(1, 2))


def test_health_that_was_not_read_in_time_is_unknown() -> None:
    found = _found(web=HALF)
    (web,) = landings(found, all_on(found, OLD), Seen(), "")
    assert (web.covered, web.note) == (None, "health unknown")


@pytest.mark.parametrize(
    ("live", "units", "after"),
    [
        ({OLD: 50, NEW: 50}, 12, {OLD: 100, NEW: 0}),
        ({OLD: 50, NEW: 50}, 9, {OLD: 75, NEW: 25}),
        ({OLD: 80, NEW: 20}, 9, {OLD: 80, NEW: 20}),  # never less than it has
        ({OLD: 0, NEW: 999}, 1, {OLD: 0, NEW: 999}),
        ({OLDER: 10, OLD: 10, NEW: 80}, 6, {OLDER: 6, OLD: 50, NEW: 44}),
        ({OLD: 100, NEW: 0}, 0, {OLD: 100, NEW: 0}),
    ],
)
def test_a_partial_one_goes_as_far_as_the_old_cluster_covers(
    live: dict[str, int], units: int, after: dict[str, int]
) -> None:
    found = _found(web=live)
    partly = as_far_as_covered(found, all_on(found, OLD), _seen(web__v1_35=units, web__v1_36=12, web__v1_34=12))
    assert {arn.partition("/")[2]: weight for arn, weight in partly["web"].items()} == after


def test_a_partial_one_leaves_a_route_of_unknown_health_alone() -> None:
    found = _found(web=HALF)
    assert as_far_as_covered(found, all_on(found, OLD), Seen())["web"] == found.rules["web"].weights


def test_the_file_gets_the_weights_of_the_stack_where_all_routes_follow_it() -> None:
    found = _found(**{"web": HALF, "grpc-api": HALF})
    assert to_write(settings_of("dev"), landings(found, all_on(found, OLD), Seen(), "")) == {None: ALL_OLD}


def test_the_file_gets_what_a_route_has_of_its_own_and_nothing_that_it_says_already() -> None:
    routes = copy.deepcopy(settings_of("dev").model_dump(by_alias=True, mode="json")["routes"])
    routes["web"]["weights"] = HALF
    settings = settings_of("dev", routes=routes, weights=ALL_OLD)
    found = _found(**{"web": HALF, "grpc-api": HALF})
    assert to_write(settings, landings(found, all_on(found, OLD), Seen(), "")) == {"web": ALL_OLD}


def test_the_file_gets_own_weights_for_a_route_that_lands_elsewhere() -> None:
    settings = settings_of("dev")
    found = _found(**{"web": HALF, "grpc-api": {OLD: -1, NEW: 100}})
    written = to_write(settings, landings(found, all_on(found, OLD), Seen(), ""))
    assert {route: settings_weights for route, settings_weights in written.items() if route} in (
        {"grpc-api": {OLD: 0, NEW: 100}},
        {"web": ALL_OLD},
    )


def test_a_rule_with_another_action_is_told_and_the_file_keeps_what_it_says_of_that_route() -> None:
    found = _found(**{"web": {OLD: -1, NEW: -1}, "grpc-api": HALF})
    landed = landings(found, all_on(found, OLD), Seen(), "stays")
    assert to_write(settings_of("dev", weights=HALF), landed) == {None: ALL_OLD}
    (told,) = elsewhere(landed, OLD, STACK)
    assert told.startswith("web stays, and sends nothing to any cluster")
    assert "pulumi up --refresh -s dev" in told
    assert reached(landed[1]) == "web is on no cluster: its rule sends nothing to any"


class Emulated(Project):
    """A project whose engine is made of notes: what a command asked of it, and how it answers."""

    asked: list[str]
    plan: Run
    failure: str
    locks: list[Lock | None]
    while_locked: Callable[[], None]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, STACK)
        self.asked, self.failure, self.locks, self.while_locked = [], "", [], lambda: None
        self.plan = Run((), (), 0.0)

    def settings(self) -> Any:
        """Read the file, without the engine."""
        return self.as_written()

    def write_weights(self, weights: Mapping[str, int], route: str | None = None) -> None:
        """Write them, without the engine."""

        def edit(config: stackfile.Config) -> None:
            if route is None:
                config["eks-cutover:weights"] = dict(weights)
            else:
                config["eks-cutover:routes"][route]["weights"] = dict(weights)

        stackfile.edit(self.folder, STACK, edit)

    def locked(self) -> Lock | None:
        """Answer with the next lock of the list."""
        self.while_locked()
        return self.locks.pop(0) if self.locks else None

    def refresh(self, targets: Any, *, only_preview: bool = False) -> Run:
        """Note it."""
        assert not only_preview
        self.asked.append(f"refresh {' '.join(targets)}")
        return Run((), (), 0.0, self.failure)

    def resources(self) -> list[dict[str, Any]]:
        """Tell of nothing inside the clusters."""
        return []

    def preview_outside(self) -> Run:
        """Give the plan."""
        return self.plan

    def up(self, targets: Any = (), **options: Any) -> Run:
        """Note it."""
        assert not options
        self.asked.append(f"up {' '.join(targets)}")
        return Run((), (), 0.0, self.failure)


@dataclass
class Scene:
    """A stack at 50 and 50 in an emulated AWS, its project, and the commands over both."""

    stack: Tagged
    project: Emulated
    _runner: CliRunner = field(default_factory=CliRunner)

    def run(self, *arguments: str) -> Result:
        """Run a command."""
        return self._runner.invoke(app, arguments)

    @property
    def hold(self) -> Hold | None:
        """The hold in AWS."""
        return Live(boto3.Session(region_name=REGION), OWNER).hold()

    def file_weights(self) -> dict[str, int]:
        """Return what the stack file says."""
        return stackfile.read(self.project.folder, STACK)["eks-cutover:weights"]


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Cloud]:
    with running(tmp_path) as one:
        reach(one, monkeypatch)
        yield one


@pytest.fixture
def scene(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Scene]:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, folder)
    stackfile.edit(folder, STACK, lambda config: config.update({"eks-cutover:weights": dict(HALF)}))
    emulated = Emulated(folder)
    monkeypatch.setattr(opened, "project", lambda *_: emulated)
    # What is asked here is answered, however busy the machine is.
    monkeypatch.setattr(rollback_plan, "LOOK_SECONDS", 30.0)
    monkeypatch.setattr(rollback_command, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(rollback_records, "_FILE_SECONDS", 0.5)
    with tagged(cloud, ["web", "grpc-api"], HALF) as stack:
        stack.heal(OLD, 4)
        stack.heal(NEW, 4)
        yield Scene(stack, emulated)


def _everywhere(scene: Scene, weights: Mapping[str, int]) -> bool:
    return all(live == weights for live in scene.stack.weights().values())


def test_all_traffic_goes_back_and_hold_file_and_state_say_so(scene: Scene) -> None:
    said = scene.run("rollback", "--yes", "--reason", "5xx")
    assert said.exit_code == Code.DONE, said.output
    assert _everywhere(scene, ALL_OLD)
    assert scene.hold
    assert (scene.hold.weights, scene.hold.why) == ({"web": ALL_OLD, "grpc-api": ALL_OLD}, "5xx")
    assert scene.file_weights() == ALL_OLD
    assert scene.project.asked == [f"{op} **::grpc-api-weighted **::web-weighted" for op in ("refresh", "up")]
    assert "cutover release -s dev" in said.stderr


def test_it_shows_where_it_lands_and_moves_although_nobody_is_there(scene: Scene) -> None:
    scene.stack.heal(OLD, 0)
    said = scene.run("rollback", "--yes")
    assert "0%" in said.stdout
    assert "--partial" in said.stderr
    assert f"{OLD} has no healthy target in" in said.stderr
    assert _everywhere(scene, ALL_OLD)


@pytest.mark.parametrize("healthy", [0, 1])
def test_it_calls_nothing_safe_that_lands_on_too_little(scene: Scene, healthy: int) -> None:
    scene.stack.heal(OLD, healthy)
    scene.project.file.write_text("<<<<<<< HEAD\n" + scene.project.file.read_text())
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED
    assert _everywhere(scene, ALL_OLD)
    assert "Traffic is safe" not in said.stderr
    short = "where no target is healthy: its requests may be lost" if healthy == 0 else "1 healthy target,"
    for route in scene.stack.rules:
        assert f"{route} is on v1-35" in said.stderr
    assert said.stderr.count(short) == len(scene.stack.rules)


def test_what_it_lands_on_is_read_after_the_move(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    move = rollback_command._move  # pyright: ignore[reportPrivateUsage]

    def die(act: Any) -> Any:
        done = move(act)
        scene.stack.heal(OLD, 0)
        return done

    monkeypatch.setattr(rollback_command, "_move", die)
    said = scene.run("rollback", "--yes", "--json")
    assert "web is on v1-35, where no target is healthy" in said.stderr
    assert {route["healthy"] for route in json.loads(said.stdout)["routes"]} == {0}


@pytest.mark.parametrize(
    ("seen", "safe", "said"),
    [
        (_seen(web__v1_35=12), True, "web is on v1-35: 12 healthy targets, 12 needed"),
        (_seen(web__v1_35=6), False, "so it covers 50%"),
        (Seen(), False, "could not be read, so nothing tells whether it is enough"),
        (replace(_seen(web__v1_35=24), capacities={}), False, "is not known: CloudWatch did not answer in time"),
    ],
)
def test_only_what_was_read_and_is_enough_is_safe(seen: Seen, safe: bool, said: str) -> None:
    found = _found(web=HALF)
    (web,) = landings(found, all_on(found, OLD), seen, "")
    assert enough(web) is safe
    assert said in reached(web)


def test_a_partial_one_moves_what_is_covered_and_leaves_the_rest(scene: Scene) -> None:
    for route in scene.stack.rules:
        scene.stack.set_weights(route, {OLD: 10, NEW: 90})
    scene.stack.heal(OLD, 0, "grpc-api")
    said = scene.run("rollback", "--partial", "--yes", "--json")
    assert said.exit_code == Code.UNFINISHED
    assert "Traffic is safe" not in said.stderr
    assert "web keeps 1 of 100 on v1-36, since v1-35 covers no more" in said.stderr
    after = {"web": {OLD: 99, NEW: 1}, "grpc-api": {OLD: 10, NEW: 90}}  # four targets had 90 %, and a tenth more
    assert scene.stack.weights() == after
    assert {route["route"]: route["after"] for route in json.loads(said.stdout)["routes"]} == after
    assert scene.hold
    assert scene.hold.weights == after


def test_a_rule_that_somebody_has_deleted_is_held_where_the_others_go_so_that_it_can_be_made_again(
    scene: Scene,
) -> None:
    scene.stack.drop("web")
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED, said.output
    assert "Traffic is safe" not in said.stderr
    assert scene.stack.weights() == {"grpc-api": ALL_OLD}
    assert scene.hold
    assert scene.hold.weights == {"web": ALL_OLD, "grpc-api": ALL_OLD}
    assert scene.file_weights() == ALL_OLD
    assert "web has no weighted rule in AWS" in said.stderr
    assert "pulumi up --refresh --target '**::web-weighted' -s dev" in said.stderr
    assert "v1-35 100, v1-36 0, which the hold allows" in said.stderr


def test_without_its_file_a_rollback_still_lets_a_deleted_rule_be_made_where_the_others_went(scene: Scene) -> None:
    scene.stack.drop("web")
    scene.project.file.write_text("config: [")
    assert scene.run("rollback", "--yes").exit_code == Code.UNFINISHED
    assert scene.hold
    assert "web" not in scene.hold.weights
    assert held(scene.hold, "web", ALL_OLD, "dev") == []
    assert held(scene.hold, "web", HALF, "dev")
    assert held(scene.hold, "grpc-api", HALF, "dev")


@pytest.mark.parametrize(("partial", "questions"), [((), 1), (("--partial",), 2)])
def test_weights_that_change_while_it_asks_are_shown_and_asked_again_only_where_it_then_lands_elsewhere(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, partial: tuple[str, ...], questions: int
) -> None:
    asked: list[str] = []

    def answer(question: str, **_: Any) -> None:
        if not asked:
            scene.stack.set_weights("web", {OLD: 90, NEW: 10})
        asked.append(question)

    monkeypatch.setattr(rollback_command, "confirm", answer)
    scene.stack.heal(OLD, 2)
    said = scene.run("rollback", *partial)
    assert len(asked) == questions, said.output
    assert "web: AWS had v1-35 50, v1-36 50, and has v1-35 90, v1-36 10" in said.stderr
    # No less goes back than somebody has brought back already; a tenth more than each target has is no risk.
    assert scene.stack.weights()["web"] == (ALL_OLD if not partial else {OLD: 99, NEW: 1})


class Full(io.StringIO):
    """A stream on a disk that is full."""

    def write(self, _: str) -> int:
        """Refuse."""
        raise OSError(errno.ENOSPC, "No space left on device")


class Closed(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, _: str) -> int:
        """Refuse."""
        raise BrokenPipeError


@pytest.mark.parametrize(("stream", "code"), [(Full, Code.FAILED), (Closed, Code.DONE)])
def test_it_moves_although_nobody_can_be_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, stream: Callable[[], TextIO], code: Code
) -> None:
    for console in (terminal.results, terminal.messages):
        monkeypatch.setattr(console, "quiet", False)
        monkeypatch.setattr(console, "lost", None)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, stream())
    monkeypatch.setattr(sys, "argv", ["cutover", "rollback", "--yes"])
    with pytest.raises(SystemExit) as ending:
        main()
    assert (_everywhere(scene, ALL_OLD), scene.file_weights(), scene.hold is None) == (True, ALL_OLD, False)
    assert ending.value.code == code


def test_it_moves_for_a_user_who_has_no_name(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert scene.run("rollback", "--yes").exit_code == Code.DONE
    assert scene.hold
    assert scene.hold.who.startswith(f"uid {os.getuid()}@")


def test_credentials_that_cannot_be_loaded_are_said(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for command in ("rollback", "release"):
        said = scene.run(command, "--yes")
        assert said.exit_code == Code.FAILED, said.output
        assert "Partial credentials found" in said.stderr


def test_a_folder_that_knows_no_locks_leaves_the_file_and_says_so(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlockable(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unlockable)
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED
    assert "No locks available" in said.stderr
    assert (_everywhere(scene, ALL_OLD), scene.file_weights()) == (True, HALF)


def test_off_a_terminal_it_needs_its_yes_and_moves_nothing(scene: Scene) -> None:
    said = scene.run("rollback")
    assert (said.exit_code, "--yes" in said.stderr) == (Code.USAGE, True)
    assert _everywhere(scene, HALF)
    assert scene.hold is None


def test_the_same_again_changes_nothing(scene: Scene) -> None:
    scene.run("rollback", "--yes", "--reason", "5xx")
    hold = scene.hold
    said = scene.run("rollback", "--yes", "--json")
    assert (said.exit_code, json.loads(said.stdout)["moved"]) == (Code.DONE, 0)
    assert scene.hold == hold
    assert _everywhere(scene, ALL_OLD)


def test_a_stack_file_in_the_midst_of_a_merge_stops_nothing_in_aws(scene: Scene) -> None:
    text = scene.project.file.read_text()
    scene.project.file.write_text(text.replace("  eks-cutover:weights:", "<<<<<<< HEAD\n  eks-cutover:weights:"))
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED, said.output
    assert _everywhere(scene, ALL_OLD)
    assert scene.hold
    assert "cutover rollback -s dev --to v1-35" in said.stderr
    scene.project.file.write_text(text)
    assert scene.run("rollback", "--yes").exit_code == Code.DONE
    assert scene.file_weights() == ALL_OLD


BROKEN = {
    "a latin-1 byte": lambda text: text.encode() + b"# caf\xe9\n",
    "a key that is no text": lambda text: f"{text}  1: one\n".encode(),
    "a date": lambda text: f"{text}  eks-cutover:when: 2026-11-24\n".encode(),
    "a date that there is not": lambda text: f"{text}  eks-cutover:when: 2026-13-45\n".encode(),
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_stack_file_stops_nothing_that_has(scene: Scene, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    sound = scene.project.as_written()
    scene.project.file.write_bytes(BROKEN[what](scene.project.file.read_text()))
    monkeypatch.setattr(scene.project, "settings", lambda: sound)  # the engine reads more than Python does
    monkeypatch.setattr(scene.project, "write_weights", lambda *_: None)
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.DONE, said.output
    assert "The rollback goes on without the stack file." in said.stderr
    assert _everywhere(scene, ALL_OLD)


OF_REGION = f"  aws:region: {REGION}\n"
SPOILED = {
    "two sides of a merge": (
        f"<<<<<<< HEAD\n{OF_REGION}=======\n  aws:region: us-east-1\n>>>>>>> b\n",
        "aws:region has two values in a merge conflict, so it is left out. The environment decides: AWS_REGION is",
    ),
    "a sealed profile": (f"{OF_REGION}  aws:profile: {{secure: v1:x}}\n", "aws:profile is sealed, so it is left out"),
    "a sealed role": (
        f"{OF_REGION}  aws:assumeRoles: [{{roleArn: {{secure: v1:x}}}}]\n",
        "aws:assumeRoles is sealed, so it is left out. The environment decides: AWS_PROFILE is not set.",
    ),
    "a key twice": (f"{OF_REGION}  aws:region: us-east-1\n", "aws:region stands twice, with two values"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_a_file_leaves_in_doubt_the_environment_decides_and_it_is_said(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    lines, says = SPOILED[what]
    text = scene.project.file.read_text()
    assert OF_REGION in text
    scene.project.file.write_text(text.replace(OF_REGION, lines))
    monkeypatch.setenv("AWS_REGION", REGION)
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED, said.output
    assert says in said.stderr
    assert _everywhere(scene, ALL_OLD)
    lifted = scene.run("release", "--yes")
    assert lifted.exit_code == Code.DONE, lifted.output
    assert says in lifted.stderr
    assert scene.hold is None
    for one in (said, lifted):
        assert "v1:x" not in one.output
        assert "nothing has been changed" not in one.output


def test_a_mistake_in_the_file_promises_nothing_to_whoever_moves_traffic(scene: Scene) -> None:
    stackfile.edit(scene.project.folder, STACK, lambda config: config.update({"eks-cutover:wieghts": {}}))
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED
    assert "2 rules moved" in said.stderr
    lifted = scene.run("release", "--yes")
    assert lifted.exit_code == Code.DONE
    for one in (said, lifted):
        assert "1 mistake in Pulumi.dev.yaml:\n  eks-cutover:wieghts: nothing reads this key" in one.output
        assert "nothing has been changed" not in one.output


def test_a_date_in_the_file_is_text_for_a_release_as_for_the_engine(scene: Scene) -> None:
    text = scene.project.file.read_text()
    scene.project.file.write_text(f"{text}  aws:defaultTags: {{tags: {{created: 2026-11-24}}}}\n")
    assert scene.run("rollback", "--yes").exit_code == Code.DONE
    lifted = scene.run("release", "--yes", "--json")
    assert lifted.exit_code == Code.DONE, lifted.output
    assert json.loads(lifted.stdout)["unknown"] == ""


def test_no_exception_that_a_file_can_make_keeps_a_hold(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("of nobody's kind")

    assert scene.run("rollback", "--yes").exit_code == Code.DONE
    monkeypatch.setattr(scene.project, "as_written", broken)
    lifted = scene.run("release", "--yes")
    assert lifted.exit_code == Code.DONE, lifted.output
    assert "Nobody can tell what the next `pulumi up` would move: of nobody's kind" in lifted.stdout
    assert scene.hold is None


def test_a_rollback_that_finds_nothing_says_that_it_does_not_know_the_files_role(scene: Scene) -> None:
    scene.project.stack = "other"
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.USAGE
    assert "Pulumi.other.yaml cannot be read, so nothing tells which role it wants assumed: set AWS_PROFILE" in (
        said.stderr
    )


def test_in_an_account_that_is_not_allowed_nothing_is_written(scene: Scene) -> None:
    allow = {"aws:allowedAccountIds": ["000000000000"]}
    stackfile.edit(scene.project.folder, STACK, lambda config: config.update(allow))
    said = scene.run("rollback", "--yes")
    account = scene.stack.rules["web"].split(":")[4]
    assert said.exit_code == Code.FAILED
    assert f"the credentials are of account {account}, and aws:allowedAccountIds allows 000000000000" in said.stderr
    assert (_everywhere(scene, HALF), scene.hold) == (True, None)
    allow["aws:allowedAccountIds"] = [account]
    stackfile.edit(scene.project.folder, STACK, lambda config: config.update(allow))
    assert scene.run("rollback", "--yes").exit_code == Code.DONE


def test_without_a_stack_file_the_environment_tells_the_region(scene: Scene) -> None:
    scene.project.file.unlink()
    assert scene.run("rollback", "--yes").exit_code == Code.UNFINISHED
    assert _everywhere(scene, ALL_OLD)


def test_a_program_that_fails_leaves_aws_safe_and_says_what_ends_it(scene: Scene) -> None:
    scene.project.failure = "error: Program failed"
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED
    assert "error: Program failed" in said.stderr
    assert "cutover rollback -s dev --to v1-35" in said.stderr
    assert _everywhere(scene, ALL_OLD)
    assert scene.file_weights() == ALL_OLD


def test_an_update_under_way_that_moves_a_rule_again_is_outlasted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback_records, "_EVERY_SECONDS", 0.0)
    scene.project.locks = [Lock("ci@runner"), Lock("ci@runner"), None]
    scene.project.while_locked = lambda: scene.stack.set_weights("web", {OLD: 10, NEW: 90})
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.DONE, said.output
    assert "ci@runner" in said.stderr
    assert "web was moved by somebody else" in said.stderr
    assert _everywhere(scene, ALL_OLD)
    assert scene.project.asked


def test_ctrl_c_ends_the_watch_and_says_what_is_left(scene: Scene) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    scene.project.locks = [Lock("ci@runner")]
    scene.project.while_locked = interrupt
    said = scene.run("rollback", "--yes", "--json")
    assert said.exit_code == Code.INTERRUPTED
    (left,) = json.loads(said.stdout)["left"]
    assert left.startswith("Interrupted: Pulumi.dev.yaml and the state may not say it yet")
    assert "Traffic is safe" not in said.stderr
    assert "cutover rollback -s dev --to v1-35" in said.stderr
    assert (_everywhere(scene, ALL_OLD), scene.file_weights()) == (True, HALF)


def test_a_lock_of_another_machine_is_watched_until_it_is_gone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    scene.project.locks = [*[Lock("ci@runner")] * 700, None]
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.DONE, said.output
    assert "Wait for it, or, if that run is gone, `pulumi cancel -s dev`" in said.stderr


def test_a_file_that_another_command_edits_is_left_alone_and_the_wait_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited_for: set[str] = set()
    monkeypatch.setattr("time.sleep", lambda _: waited_for.update(what for what, _ in list(calls._open.values())))  # pyright: ignore[reportPrivateUsage]
    with (scene.project.folder / "Pulumi.yaml").open() as anchor:
        fcntl.flock(anchor, fcntl.LOCK_EX)
        said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED
    assert "another cutover is at work" in said.stderr
    assert waited_for == {f"another cutover that is at work in {scene.project.folder}"}
    assert (_everywhere(scene, ALL_OLD), scene.file_weights()) == (True, HALF)


def _planned(op: str, name: str, *paths: str, lifted: bool = False) -> Step:
    kind = LISTENER_RULE if name.endswith("-weighted") else "aws:eks/cluster:Cluster"
    urn = f"urn:pulumi:dev::eks-cutover::eks-cutover:route:Route${kind}::{name}"
    return Step(op, kind, name, paths, urn=urn, lifted=lifted)


def test_what_serves_now_is_protected_and_nothing_loses_its_protection(scene: Scene) -> None:
    protected, lifted = _planned("same", f"{OLD}-eksCluster"), _planned("same", f"{NEW}-eksCluster", lifted=True)
    weight = _planned("update", "web-weighted", "actions[0].forward.targetGroups[1].weight")
    scene.project.plan = Run((weight, _planned("update", f"{NEW}-eksCluster", "version")), (protected, lifted), 0.0)
    assert scene.run("rollback", "--yes").exit_code == Code.DONE
    assert scene.project.asked[-1] == f"up **::grpc-api-weighted **::web-weighted {protected.urn}"


def test_a_checkout_that_would_change_more_of_a_rule_is_not_applied(scene: Scene) -> None:
    scene.project.plan = Run((_planned("update", "web-weighted", "conditions[0].pathPattern"),), (), 0.0)
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED
    assert "would change update web-weighted (conditions[0].pathPattern)" in said.stderr
    assert "pulumi up -s dev" in said.stderr
    assert [asked.split()[0] for asked in scene.project.asked] == ["refresh"]
    assert (_everywhere(scene, ALL_OLD), scene.file_weights()) == (True, ALL_OLD)


def test_a_plan_that_fails_is_told_and_nothing_is_applied(scene: Scene) -> None:
    scene.project.plan = Run((), (), 0.0, "error: Program failed")
    said = scene.run("rollback", "--yes")
    assert (said.exit_code, "error: Program failed" in said.stderr) == (Code.UNFINISHED, True)
    assert [asked.split()[0] for asked in scene.project.asked] == ["refresh"]


def test_an_engine_whose_answers_nobody_can_read_stops_no_rule(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = scene.project.folder
    (folder / "pulumi").write_text('#!/bin/sh\n[ "$1" = version ] && exec echo v3.259.0\necho "<html>log in</html>"\n')
    (folder / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for asking in ("settings", "locked"):
        monkeypatch.setattr(Emulated, asking, getattr(Project, asking))
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED, said.output
    assert _everywhere(scene, ALL_OLD)
    assert (
        "Nothing tells whether an update is under way (pulumi whoami: what came in answer cannot be read" in said.stderr
    )
    assert "the state do not say it yet: pulumi config: what came in answer cannot be read" in said.stderr


def test_the_lock_of_a_dead_update_is_not_waited_for(scene: Scene) -> None:
    scene.project.locks = [Lock("ci@here", dead=True)]
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED
    assert "pulumi cancel -s dev" in said.stderr
    assert "under way" not in said.stderr
    assert (_everywhere(scene, ALL_OLD), scene.file_weights(), scene.project.asked) == (True, ALL_OLD, [])


@pytest.mark.parametrize("answer", [PAGE, b"{}", b""], ids=["a page", "nothing", "no body"])
def test_a_hold_that_never_reached_ssm_is_not_told_as_left(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    with spoiled(
        scene.stack.cloud.endpoint, lambda _, action: answer if action == "PutParameter" else None
    ) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        said = scene.run("rollback", "--yes")
    assert _everywhere(scene, ALL_OLD)
    assert said.exit_code == Code.UNFINISHED
    assert "No hold could be left, so any `pulumi up` may move traffic again" in said.stderr


def test_a_fault_while_records_are_kept_is_told_as_what_is_left(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(scene.project, "alone", fail)
    said = scene.run("rollback", "--yes", "--json")
    assert said.exit_code == Code.UNFINISHED, said.exception
    assert _everywhere(scene, ALL_OLD)
    assert "the state may not say it yet: [Errno 30] Read-only file system" in " ".join(json.loads(said.stdout)["left"])


def test_a_reason_that_is_too_long_for_a_hold_is_cut(scene: Scene) -> None:
    assert scene.run("rollback", "--yes", "--reason", "lost " * 2000).exit_code == Code.DONE
    assert scene.hold
    assert scene.hold.why.startswith("lost lost")
    assert len(scene.hold.why) < 2000


def test_where_no_hold_can_be_left_traffic_moves_all_the_same(scene: Scene) -> None:
    fault = {"service": "ssm", "action": "PutParameter", "status": 400, "code": "AccessDeniedException"}
    scene.stack.cloud.store.put("fault", "no hold", {**fault, "message": "not allowed", "remaining": 100})
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.UNFINISHED
    assert "not allowed" in said.stderr
    assert _everywhere(scene, ALL_OLD)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("service", "action"),
    [("ssm", "GetParameter"), ("cloudwatch", "GetMetricData"), ("elbv2", "DescribeTargetHealth")],
)
def test_what_is_only_good_to_know_stops_nothing(scene: Scene, service: str, action: str) -> None:
    fault = {"service": service, "action": action, "status": 400, "code": "AccessDenied", "message": "not allowed"}
    scene.stack.cloud.store.put("fault", "blind", {**fault, "remaining": 1000})
    assert scene.run("rollback", "--yes").exit_code == Code.DONE
    assert _everywhere(scene, ALL_OLD)


def test_a_rule_that_aws_refuses_is_named_and_the_others_move(scene: Scene) -> None:
    scene.stack.cloud.fault("ModifyRule", code="AccessDenied", message="no", remaining=1000, after=1, status=403)
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.FAILED
    assert "could not be moved" in said.stderr
    assert sorted(map(str, scene.stack.weights().values())) == sorted(map(str, [ALL_OLD, HALF]))


def test_a_rule_that_aws_refuses_at_first_is_told_at_once_and_tried_again(scene: Scene) -> None:
    # Each of both rules asks once; the second of the first round and both rounds after it are refused.
    scene.stack.cloud.fault("ModifyRule", code="AccessDenied", message="no", remaining=2, after=1, status=403)
    said = scene.run("rollback", "--yes", "--json")
    assert said.exit_code == Code.DONE, said.output
    assert said.stderr.count("could not be moved: ") == 2
    assert "has moved now." in said.stderr
    assert said.stderr.index("could not be moved") < said.stderr.index("Pulumi.dev.yaml: the weights")
    assert json.loads(said.stdout)["moved"] == 2
    assert _everywhere(scene, ALL_OLD)


def test_a_stack_that_is_not_there_is_a_mistake(scene: Scene) -> None:
    scene.project.stack = "other"
    said = scene.run("rollback", "--yes")
    assert (said.exit_code, "no weighted rule" in said.stderr) == (Code.USAGE, True)


def test_a_release_shows_the_hold_and_what_would_move_then(scene: Scene) -> None:
    scene.run("rollback", "--yes", "--reason", "5xx on checkout")
    stackfile.edit(scene.project.folder, STACK, lambda config: config.update({"eks-cutover:weights": dict(HALF)}))
    refused = scene.run("release")
    assert (refused.exit_code, scene.hold is None) == (Code.USAGE, False)
    said = scene.run("release", "--yes")
    assert said.exit_code == Code.DONE
    assert "5xx on checkout" in said.stdout
    assert "web: v1-35 100, v1-36 0 -> v1-35 50, v1-36 50" in said.stdout
    assert scene.hold is None
    assert _everywhere(scene, ALL_OLD)


def test_a_release_that_finds_nothing_of_the_stack_says_that_it_may_look_in_the_wrong_place(scene: Scene) -> None:
    scene.project.stack = "other"
    said = scene.run("release", "--yes")
    assert said.exit_code == Code.USAGE
    assert "Look whether stack, region and account are the right ones" in said.stderr


def test_a_release_works_beside_a_file_that_is_no_text(scene: Scene) -> None:
    scene.run("rollback", "--yes")
    scene.project.file.write_bytes(scene.project.file.read_bytes() + b"# caf\xe9\n")
    assert scene.run("release", "--yes").exit_code == Code.DONE
    assert scene.hold is None


def test_a_release_without_a_hold_says_so(scene: Scene) -> None:
    said = scene.run("release", "--yes", "--json")
    assert (said.exit_code, json.loads(said.stdout)["hold"]) == (Code.DONE, None)


def test_the_hold_is_there_before_the_first_rule_moves(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    leave, move = Writes.hold, Writes.set_weights

    def slowly(writes: Writes, hold: Hold) -> None:
        time.sleep(0.1)
        leave(writes, hold)
        done.append("hold")

    def at_once(writes: Writes, wanted: Mapping[str, Mapping[str, int]]) -> Outcome:
        done.append("rules")
        return move(writes, wanted)

    monkeypatch.setattr(Writes, "hold", slowly)
    monkeypatch.setattr(Writes, "set_weights", at_once)
    scene.run("rollback", "--yes")
    assert done[:2] == ["hold", "rules"]


def test_the_route_with_most_requests_goes_first(scene: Scene) -> None:
    (balancer,) = scene.stack.cloud.client("elbv2").describe_load_balancers(
        LoadBalancerArns=[_balancer(scene.stack.rules["web"])]
    )["LoadBalancers"]
    group = scene.stack.groups["web", NEW].split(":")[-1]
    dimensions = [
        {"Name": "TargetGroup", "Value": group},
        {"Name": "LoadBalancer", "Value": balancer["LoadBalancerArn"].split(":loadbalancer/")[-1]},
    ]
    lately = datetime.now(UTC) - timedelta(minutes=2)  # the minute that is not over yet has no number
    data = {"MetricName": "RequestCount", "Dimensions": dimensions, "Value": 100.0, "Timestamp": lately}
    scene.stack.cloud.client("cloudwatch").put_metric_data(Namespace="AWS/ApplicationELB", MetricData=[data])
    said = json.loads(scene.run("rollback", "--yes", "--json").stdout)
    as_documented("rollback", said)
    assert [route["route"] for route in said["routes"]] == ["web", "grpc-api"]


def _balancer(rule: str) -> str:
    return rule.replace(":listener-rule/", ":loadbalancer/").rsplit("/", 2)[0]


def test_a_page_in_place_of_one_answer_is_tried_again_and_stops_no_other_rule(
    scene: Scene, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [None, PAGE]  # for the second rule that is moved

    def spoil(_: str, action: str) -> bytes | None:
        return pages.pop(0) if action == "ModifyRule" and pages else None

    with spoiled(cloud.endpoint, spoil) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.DONE, said.output
    assert "could not be moved: elbv2 ModifyRule" in said.stderr
    assert (_everywhere(scene, ALL_OLD), scene.file_weights()) == (True, ALL_OLD)


ROLE = "arn:aws:iam::{account}:role/deployer"
WITHOUT_STS: dict[str, str | bytes] = {"it hangs": "hang", "it is cut off": "reset", "a page": PAGE}


@pytest.mark.parametrize("sts", WITHOUT_STS)
def test_it_moves_ten_routes_where_nothing_answers_but_elb(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sts: str
) -> None:
    """File and engine of no use; of AWS only ELB: the others are cut off, give pages, or hang until the end."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "Pulumi.yaml").write_text("name: eks-cutover\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # no backend, no charts, no Kubernetes API
    monkeypatch.setattr(rollback_command, "_HOLD_SECONDS", 1.0)
    monkeypatch.setattr(rollback_plan, "_ROLE_SECONDS", 0.2)
    how = {"elasticloadbalancing": None, "ssm": "hang", "monitoring": PAGE, "sts": WITHOUT_STS[sts]}
    with (
        tagged(cloud, [f"route-{place}" for place in range(10)], HALF) as stack,
        spoiled(cloud.endpoint, lambda service, _: how.get(service, "reset")) as endpoint,
    ):
        account = stack.rules["route-0"].split(":")[4]
        (tmp_path / "project" / "Pulumi.dev.yaml").write_text(
            f"config:\n  aws:region: {REGION}\n  aws:allowedAccountIds: ['{account}']\n"
            f"  aws:assumeRoles: [{{roleArn: '{ROLE.format(account=account)}'}}]\n"
            "<<<<<<< HEAD\n  eks-cutover:weights: [\n"
        )
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        said = CliRunner().invoke(app, ["rollback", "-s", STACK, "-C", str(tmp_path / "project"), "--yes"])
        assert all(live == ALL_OLD for live in stack.weights().values()), said.output
    assert said.exit_code == Code.UNFINISHED, said.output
    assert f"{ROLE.format(account=account)} could not be assumed: " in said.stderr
    assert "10 rules moved" in said.stderr
    assert "No hold could be left" in said.stderr
    assert "there is no pulumi on PATH" in said.stderr


def _with_aws(scene: Scene, **keys: Any) -> None:
    def edit(config: stackfile.Config) -> None:
        config.update({f"aws:{key}": value for key, value in keys.items()})

    stackfile.edit(scene.project.folder, STACK, edit)


def test_a_role_that_sts_lends_is_taken(scene: Scene, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    account = scene.stack.rules["web"].split(":")[4]
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}]}
    cloud.client("iam").create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))
    _with_aws(scene, assumeRoles=[{"roleArn": ROLE.format(account=account)}])
    lent: list[str] = []

    def slowly(service: str, action: str) -> None:
        if service == "sts":
            time.sleep(0.3)
            lent.append(action)

    with spoiled(cloud.endpoint, slowly) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        said = scene.run("rollback", "--yes")
    assert (said.exit_code, lent) == (Code.DONE, ["AssumeRole"]), said.output
    assert "as they are" not in said.stderr
    assert _everywhere(scene, ALL_OLD)


def test_a_role_that_sts_denies_is_done_without_where_the_credentials_may_move_the_rules(scene: Scene) -> None:
    account = scene.stack.rules["web"].split(":")[4]
    _with_aws(scene, assumeRoles=[{"roleArn": ROLE.format(account=account)}])
    fault = {"service": "sts", "action": "AssumeRole", "status": 403, "code": "AccessDenied", "message": "not you"}
    scene.stack.cloud.store.put("fault", "no role", {**fault, "remaining": 100})
    said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.DONE, said.output
    assert said.stderr.count("not you") == 1
    assert "The rollback goes on with the credentials as they are" in said.stderr
    assert _everywhere(scene, ALL_OLD)


def _without_sts(service: str, _: str) -> str | None:
    return "hang" if service == "sts" else None


def test_without_its_role_it_writes_in_no_other_account_than_that_of_the_role(
    scene: Scene, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback_plan, "_ROLE_SECONDS", 0.2)
    _with_aws(scene, assumeRoles=[{"roleArn": ROLE.format(account="9" * 12)}])
    with spoiled(cloud.endpoint, _without_sts) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        said = scene.run("rollback", "--yes")
        assert (_everywhere(scene, HALF), scene.hold) == (True, None)
    assert said.exit_code == Code.FAILED, said.output
    account = scene.stack.rules["web"].split(":")[4]
    assert f"the credentials are of account {account}, and aws:assumeRoles ends in {'9' * 12}" in said.stderr


def test_where_it_finds_nothing_without_its_role_it_is_no_mistake_and_worth_another_try(
    scene: Scene, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback_plan, "_ROLE_SECONDS", 0.2)
    role = ROLE.format(account=scene.stack.rules["web"].split(":")[4])
    _with_aws(scene, assumeRoles=[{"roleArn": role}])
    for route in list(scene.stack.rules):
        scene.stack.drop(route)
    with spoiled(cloud.endpoint, _without_sts) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        said = scene.run("rollback", "--yes")
    assert said.exit_code == Code.FAILED, said.output
    assert f"Use credentials of {role}, or run the same again" in said.stderr


def test_where_nothing_is_older_the_cluster_that_serves_alone_is_not_offered() -> None:
    with pytest.raises(RollbackError, match=rf"Name where to go with --to \({NEW}\)$"):
        goal(_found(web={OLD: 100, NEW: 0}))
    with pytest.raises(RollbackError, match=r"There is no other either$"):
        goal(_found(web={OLD: 100}))
