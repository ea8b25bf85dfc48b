"""A shift: the weights that are meant, and what is moved, refused or left as it was.

AWS is the emulated one. The engine is a stand-in here; tests/engine/test_shift.py has the real one.
"""

from __future__ import annotations

import fcntl
import json
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
import typer
from pulumi.automation import CommandResult
from pulumi.automation.errors import CommandError
from rich.console import Console
from typer.testing import CliRunner

from cutover.aws.hold import hold_name
from cutover.aws.live import Live
from cutover.aws.session import LiveError
from cutover.commands import moving, terminal
from cutover.commands import shift as command
from cutover.commands.app import app
from cutover.commands.terminal import Code
from cutover.engine.lock import Lock
from cutover.engine.project import Project
from cutover.engine.stack_file import ProjectError
from cutover.rules.run import Step
from cutover.rules.shift import ShiftError, parse, wanted
from tests.cutover.documents import as_documented
from tests.cutover.fake_engine import HEAD, Engine
from tests.cutover.tagged import OWNER, reach, tagged
from tests.rehearsal.emulated import running

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from cutover.rules.found import Found
    from cutover.rules.run import Run
    from settings import Settings

ROUTES = ("web", "grpc-api")


@pytest.mark.parametrize(
    ("present", "asked", "becomes"),
    [
        ({"a": 99, "b": 1}, {"b": 10}, {"a": 90, "b": 10}),
        ({"a": 0, "b": 100}, {"b": 0}, {"a": 100, "b": 0}),
        ({"a": 0, "b": 100}, {"a": 100}, {"a": 100, "b": 0}),
        ({"a": 1, "b": 0}, {"a": 1, "b": 1}, {"a": 1, "b": 1}),
        ({"a": 60, "b": 30, "c": 10}, {"c": 55}, {"a": 30, "b": 15, "c": 55}),
        ({"a": 1, "b": 1, "c": 1}, {"c": 0}, {"a": 2, "b": 1, "c": 0}),
        ({"a": 100, "b": 0, "c": 0}, {"c": 10}, {"a": 90, "b": 0, "c": 10}),
        ({"a": 50, "b": 50, "c": 0}, {"c": 100}, {"a": 0, "b": 0, "c": 100}),
        ({"a": 90, "b": 10, "c": 0}, {"b": 5, "c": 5}, {"a": 90, "b": 5, "c": 5}),
    ],
)
def test_clusters_that_are_not_named_keep_their_proportions_in_the_rest(
    present: dict[str, int], asked: dict[str, int], becomes: dict[str, int]
) -> None:
    assert wanted(present, asked) == becomes


@pytest.mark.parametrize(
    ("present", "asked", "says"),
    [
        ({"a": 99, "b": 1}, {"c": 10}, "there is no cluster c. Nothing was changed. There are a, b"),
        ({"a": 99, "b": 1}, {"a": 0, "b": 0}, "all weights would be 0"),
        ({"a": 1, "b": 0}, {"b": 10}, "add up to 1, so nothing is left for a. Nothing was changed. Name every cluster"),
        ({"a": 100, "b": 0, "c": 0}, {"a": 90}, "b, c have no weight by which to spread it"),
        ({"a": 999, "b": 999}, {"a": 0}, "b would have more than 999"),
    ],
)
def test_a_shift_whose_meaning_is_not_clear_says_what_to_ask_instead(
    present: dict[str, int], asked: dict[str, int], says: str
) -> None:
    with pytest.raises(ShiftError) as error:
        wanted(present, asked)
    assert says in str(error.value)


@pytest.mark.parametrize("argument", ["v1-36", "v1-36=", "=10", "v1-36=1.5", "v1-36=-1", "v1-36=1000", "v1-36=ten"])
def test_what_is_no_share_is_refused_with_an_example(argument: str) -> None:
    with pytest.raises(ShiftError, match=r"Write e\.g\. cutover shift v1-36=10"):
        parse([argument])


def test_a_cluster_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ShiftError, match="v1-36 is named twice"):
        parse(["v1-36=10", "v1-36=20"])


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Engine]:
    """Give a stack at 99 to 1 with healthy targets everywhere, and let the command find it."""
    with running(tmp_path) as cloud, tagged(cloud, ROUTES, {"v1-35": 99, "v1-36": 1}) as stack:
        reach(cloud, monkeypatch)
        for cluster in ("v1-35", "v1-36"):
            stack.heal(cluster, 4)
        stand_in = Engine(tmp_path, stack)
        monkeypatch.setattr(Project, "find", lambda *_: stand_in)
        monkeypatch.setattr(moving, "PROPAGATION_SECONDS", 0)
        yield stand_in


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["shift", *arguments])


def refused(engine: Engine, code: Code, *arguments: str) -> str:
    """Run a shift that must be refused, with nothing moved and the file as it was, and return what is said."""
    file, live = engine.file.read_bytes(), engine.tagged.weights()
    said = run(*arguments)
    assert said.exit_code == code, said.stderr
    assert engine.file.read_bytes() == file
    assert engine.tagged.weights() == live
    assert said.stdout == ""
    return " ".join(said.stderr.split())


def test_a_shift_moves_all_routes_writes_the_file_and_names_the_next_command(engine: Engine) -> None:
    engine.named = "acme/dev"
    said = run("v1-36=10", "--yes")
    assert said.exit_code == Code.DONE, said.stderr
    assert said.stdout.splitlines() == [f"{route}: v1-35 99 -> 90, v1-36 1 -> 10" for route in ROUTES]
    assert "Next: cutover shift v1-36=50 -s acme/dev, or back at once: cutover rollback -s acme/dev" in said.stderr
    assert engine.tagged.weights() == {route: {"v1-35": 90, "v1-36": 10} for route in ROUTES}
    assert engine.settings().weights == {"v1-35": 90, "v1-36": 10}


@pytest.mark.usefixtures("engine")
def test_the_table_before_the_question_shows_healthy_and_needed_targets() -> None:
    row = next(line for line in run("v1-36=50", "-y").stderr.splitlines() if "web" in line and "v1-36" in line)
    assert row.split() == ["web", "v1-36", "1", "50", "4/2"]


@pytest.mark.usefixtures("engine")
def test_all_traffic_on_the_newest_names_the_retirement_of_the_other() -> None:
    assert "Next: cutover retire v1-35 -s dev" in run("v1-36=100", "--yes").stderr


@pytest.mark.usefixtures("engine")
def test_json_tells_what_moved() -> None:
    document = json.loads(run("v1-36=10", "--yes", "--json").stdout)
    as_documented("shift", document)
    assert document["applied"] is True
    assert document["weights"] == {"v1-35": 90, "v1-36": 10}
    moved = {(row["route"], row["cluster"]): (row["before"], row["after"]) for row in document["moved"]}
    assert moved["web", "v1-36"] == (1, 10)


def test_one_route_alone_gets_weights_of_its_own(engine: Engine) -> None:
    said = run("v1-36=40", "--route", "web", "--yes")
    assert said.exit_code == Code.DONE, said.stderr
    assert "Next: cutover shift v1-36=50 --route web -s dev" in said.stderr
    live = engine.tagged.weights()
    assert live == {"web": {"v1-35": 60, "v1-36": 40}, "grpc-api": {"v1-35": 99, "v1-36": 1}}
    assert engine.settings().weights == {"v1-35": 99, "v1-36": 1}


def test_the_stacks_weights_leave_a_route_alone_that_has_its_own(engine: Engine) -> None:
    assert run("v1-36=40", "--route", "web", "--yes").exit_code == Code.DONE
    assert run("v1-36=10", "--yes").exit_code == Code.DONE
    assert engine.tagged.weights()["web"] == {"v1-35": 60, "v1-36": 40}


def test_write_only_edits_the_file_and_neither_asks_nor_reads_aws(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = engine.tagged.weights()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    said = run("v1-36=10", "--write-only")
    assert said.exit_code == Code.DONE, said.stderr
    assert said.stdout == "Pulumi.dev.yaml: v1-35 90, v1-36 10\n"
    assert "Nothing has moved. Commit it and open a pull request" in said.stderr
    assert engine.settings().weights == {"v1-35": 90, "v1-36": 10}
    assert engine.tagged.weights() == live
    assert engine.asked == []


def test_write_only_refuses_a_wrong_key_too(engine: Engine) -> None:
    assert "there is no cluster v1-37" in refused(engine, Code.USAGE, "v1-37=10", "--write-only")
    assert "there is no route shop" in refused(engine, Code.USAGE, "v1-36=10", "-r", "shop", "--write-only")


def test_an_unknown_cluster_or_route_is_refused_with_those_that_there_are(engine: Engine) -> None:
    assert "There are v1-35, v1-36" in refused(engine, Code.USAGE, "v1-37=10")
    assert "There are web, grpc-api" in refused(engine, Code.USAGE, "v1-36=10", "--route", "shop")


def test_a_route_that_is_not_live_cannot_be_moved(engine: Engine) -> None:
    engine.changes["routes.web.live"] = False
    assert "web is not live" in refused(engine, Code.USAGE, "v1-36=10", "--route", "web")


def test_without_an_answer_nothing_moves(engine: Engine) -> None:
    said = refused(engine, Code.USAGE, "v1-36=10")
    assert "run it again with --yes" in said
    assert engine.asked == ["preview"]


def test_a_hold_is_told_with_who_and_why_and_how_it_ends(engine: Engine) -> None:
    hold = {"weights": {}, "who": "sre", "why": "5xx on checkout", "when": "2026-11-24T03:00Z"}
    engine.tagged.cloud.client("ssm").put_parameter(Name=hold_name(OWNER), Value=json.dumps(hold), Type="String")
    said = refused(engine, Code.BUSY, "v1-36=10", "--yes")
    assert "a rollback of 2026-11-24T03:00Z by sre (5xx on checkout) holds the weights" in said
    assert "cutover release" in said


@pytest.mark.parametrize(("dead", "cure"), [(False, "Wait for it"), (True, "pulumi cancel")])
def test_a_locked_stack_is_told_with_who_and_what_to_do(engine: Engine, dead: bool, cure: str) -> None:
    engine.lock = Lock("ann@laptop", dead)
    said = refused(engine, Code.BUSY, "v1-36=10", "--yes")
    assert "locked by ann@laptop" in said
    assert cure in said


def test_a_stack_that_is_locked_at_the_last_moment_moves_nothing(engine: Engine) -> None:
    engine.stops_after, engine.failure = 0, "error: the stack is currently locked by 1 lock(s)"
    assert "currently locked" in refused(engine, Code.BUSY, "v1-36=10", "--yes")


def test_a_second_cutover_in_the_same_folder_is_told(engine: Engine) -> None:
    with (engine.folder / "Pulumi.yaml").open() as anchor:
        fcntl.flock(anchor, fcntl.LOCK_EX)
        assert "another cutover is at work" in refused(engine, Code.BUSY, "v1-36=10", "--yes")
    assert run("v1-36=10", "--yes").exit_code == Code.DONE


def test_drift_is_refused_with_both_weights_and_a_cure_for_each(engine: Engine) -> None:
    engine.tagged.set_weights("web", {"v1-35": 70, "v1-36": 30})
    said = refused(engine, Code.REFUSED, "v1-36=10", "--yes")
    assert "web: AWS has v1-35 70, v1-36 30; the file v1-35 99, v1-36 1" in said
    assert "To have what the file says: cutover shift v1-35=99 v1-36=1 -s dev" in said
    assert "--write-only" in said


def _edit_the_file(engine: Engine) -> None:
    engine.file.write_text(engine.file.read_text() + "# of somebody else\n")


def _move_a_rule(engine: Engine) -> None:
    engine.tagged.set_weights("grpc-api", {"v1-35": 70, "v1-36": 30})


def _leave_a_hold(engine: Engine) -> None:
    hold = {"weights": {}, "who": "sre", "why": "5xx", "when": "2026-11-24T03:00Z"}
    engine.tagged.cloud.client("ssm").put_parameter(Name=hold_name(OWNER), Value=json.dumps(hold), Type="String")


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_edit_the_file, "Pulumi.dev.yaml has been edited"),
        (_move_a_rule, "grpc-api: AWS had v1-35 99, v1-36 1, and has v1-35 70, v1-36 30"),
        (lambda engine: engine.tagged.drop("grpc-api"), "grpc-api: AWS had v1-35 99, v1-36 1, and has no rule"),
        (_leave_a_hold, "a rollback of 2026-11-24T03:00Z by sre (5xx) holds the weights"),
    ],
)
def test_what_changes_between_the_judgement_and_the_act_ends_it_with_nothing_moved(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, asks: bool, change: Callable[[Engine], None], says: str
) -> None:
    if asks:
        monkeypatch.setattr(moving, "confirm", lambda *_, **__: change(engine))
    else:
        engine.at_preview = lambda: change(engine)
    said = run("v1-36=10", "--route", "web", "--yes")
    assert said.exit_code == Code.BUSY, said.stderr
    assert says in said.stderr
    assert "cutover status -s dev" in said.stderr
    assert engine.tagged.weights()["web"] == {"v1-35": 99, "v1-36": 1}
    assert "up" not in engine.asked


def test_a_rule_that_somebody_has_deleted_is_told_before_any_other_moves(engine: Engine) -> None:
    engine.tagged.drop("web")
    said = refused(engine, Code.REFUSED, "v1-36=10", "--yes")
    assert "web has no weighted rule in AWS" in said
    assert "To make it: pulumi up --refresh --target '**::web-weighted' -s dev" in said
    assert engine.asked == []


def test_to_ask_for_what_the_file_says_takes_drift_back(engine: Engine) -> None:
    engine.tagged.set_weights("web", {"v1-35": 70, "v1-36": 30})
    said = run("v1-35=99", "v1-36=1", "--yes")
    assert said.exit_code == Code.DONE, said.stderr
    assert engine.tagged.weights()["web"] == {"v1-35": 99, "v1-36": 1}
    assert engine.asked == ["refresh", "preview", "up"]


def test_what_is_so_already_is_said_and_nothing_is_run(engine: Engine) -> None:
    said = run("v1-36=1", "--yes")
    assert said.exit_code == Code.DONE
    assert "the stack file and AWS say so already" in said.stderr
    assert engine.asked == []


def test_a_refusal_of_the_gate_is_shown_as_the_engine_says_it(engine: Engine) -> None:
    engine.refusal = "the gate refuses, and no route moves:\n  web: v1-36 has 0 healthy targets"
    said = refused(engine, Code.REFUSED, "v1-36=10", "--yes")
    assert "the gate refuses, and no route moves: web: v1-36 has 0 healthy targets" in said


def test_a_plan_that_holds_anything_else_is_refused(engine: Engine) -> None:
    kind = "aws:lb/targetGroup:TargetGroup"
    urn = f"urn:pulumi:dev::eks-cutover::eks-cutover:index:Route${kind}::web-v1-37"
    engine.more = (Step("create", kind, "web-v1-37", urn=urn),)
    said = refused(engine, Code.REFUSED, "v1-36=10", "--yes")
    assert "the plan holds more than the shift: create 1 TargetGroup" in said
    assert "Apply that first, with pulumi up" in said


def test_a_plan_that_takes_away_what_serves_is_refused_with_the_reason(engine: Engine) -> None:
    kind = "aws:eks/cluster:Cluster"
    urn = f"urn:pulumi:dev::eks-cutover::eks-cutover:index:Cluster${kind}::v1-35-eksCluster"
    engine.more = (Step("delete", kind, "v1-35-eksCluster", urn=urn),)
    said = refused(engine, Code.REFUSED, "v1-36=10", "--yes")
    assert "the plan may not be applied. Nothing was changed. delete v1-35-eksCluster" in said


def test_a_preview_that_is_interrupted_leaves_the_file_as_it_was(engine: Engine) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    engine.at_preview = interrupt
    assert "Run the same again" in refused(engine, Code.INTERRUPTED, "v1-36=10", "--yes")


def test_an_update_that_stops_midway_says_which_routes_moved_and_both_ways_on(engine: Engine) -> None:
    engine.stops_after = 1
    said = run("v1-36=10", "--yes")
    assert said.exit_code == Code.FAILED
    assert "AWS says no" in said.stderr
    assert "web: moved to v1-35 90, v1-36 10" in said.stderr
    assert "grpc-api: has v1-35 99, v1-36 1" in said.stderr
    assert (
        "To go on: cutover shift v1-35=90 v1-36=10 -s dev, or pulumi up. To go back: cutover rollback -s dev"
        in said.stderr
    )
    engine.stops_after = None
    assert run("v1-36=10", "--yes").exit_code == Code.DONE
    assert engine.tagged.weights() == {route: {"v1-35": 90, "v1-36": 10} for route in ROUTES}


def test_an_update_that_fails_before_the_first_rule_leaves_the_file_as_it_was(engine: Engine) -> None:
    engine.stops_after = 0
    assert "AWS says no" in refused(engine, Code.FAILED, "v1-36=10", "--yes")


def test_targets_that_die_meanwhile_are_told_after_the_move(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: engine.tagged.heal("v1-36", 0, "web"))
    said = run("v1-36=10", "--yes")
    assert said.exit_code == Code.FAILED
    assert "no target is healthy any more in web: v1-36" in " ".join(said.stderr.split())
    assert "cutover rollback" in said.stderr


def test_a_rollback_that_comes_with_the_update_is_told_before_anything_else(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = engine.up

    def rolled_back(*asked: Any) -> Run:
        run = up(*asked)
        hold = {"weights": {}, "who": "sre", "why": "5xx", "when": "2026-11-24T03:00Z"}
        engine.tagged.cloud.client("ssm").put_parameter(Name=hold_name(OWNER), Value=json.dumps(hold), Type="String")
        engine.tagged.set_weights("web", {"v1-35": 100, "v1-36": 0})
        return run

    monkeypatch.setattr(engine, "up", rolled_back)
    file = engine.file.read_bytes()
    said = run("v1-36=10", "--yes")
    assert said.exit_code == Code.BUSY
    (end,) = (place for place, line in enumerate(said.stderr.splitlines()) if "holds the weights" in line)
    told = said.stderr.splitlines()[end:]
    assert told[0].startswith("a rollback of 2026-11-24T03:00Z by sre (5xx) holds the weights")
    assert "  web: has v1-35 100, v1-36 0" in told
    assert "cutover release -s dev" in told[-1]
    assert engine.file.read_bytes() == file


@pytest.mark.parametrize(("reads", "says"), [(3, "The update is done"), (4, "the weights have moved")])
def test_an_aws_that_cannot_be_read_after_the_update_does_not_hide_that_it_was_made(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, reads: int, says: str
) -> None:
    find, times = Live.find, iter(range(1, 10))

    def read(live: Live) -> Found:
        if next(times) == reads:
            raise LiveError("throttled")
        return find(live)

    monkeypatch.setattr(Live, "find", read)
    said = run("v1-36=10", "--yes")
    assert said.exit_code == Code.FAILED
    assert f"{says}, and AWS could not be read since: throttled" in said.stderr
    assert "Look with cutover status -s dev. To go back: cutover rollback -s dev" in said.stderr
    assert engine.settings().weights == {"v1-35": 90, "v1-36": 10}


def test_a_stack_that_is_not_there_is_a_mistake(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: Engine) -> Settings:
        raise ProjectError("no stack named 'typo' found")

    engine.file.unlink()
    monkeypatch.setattr(Engine, "settings", unknown)
    for more in ("--yes", "--write-only"):
        said = run("v1-36=10", more)
        assert (said.exit_code, said.stderr.strip()) == (Code.USAGE, "no stack named 'typo' found")


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ("read .pulumi/meta.yaml: connection refused", Code.FAILED),
        ("invalid YAML file: yaml: line 1: did not find expected ',' or ']'", Code.USAGE),
    ],
)
def test_a_backend_that_fails_is_told_from_a_mistake_of_the_user(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, says: str, code: Code
) -> None:
    class Down:
        """Stands for the engine where its backend does not answer."""

        def get_all_config(self) -> Any:
            raise CommandError(CommandResult("", f"error: {says}", 255))

    monkeypatch.setattr(Engine, "_automation", Down())
    monkeypatch.setattr(Engine, "name", "eks-cutover")
    monkeypatch.setattr(Engine, "settings", Project.settings)
    assert says in refused(engine, code, "v1-36=10", "--yes")


@pytest.mark.parametrize(
    ("stdin", "answer", "code"),
    [(False, "y", Code.USAGE), (True, "y", Code.DONE), (True, "n", Code.REFUSED), (True, "", Code.INTERRUPTED)],
)
def test_a_question_is_put_only_to_who_can_answer_and_interrupted_it_leaves_all_as_it_was(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, stdin: bool, answer: str, code: Code
) -> None:
    monkeypatch.setattr(
        terminal, "messages", Console(stderr=True, highlight=False, soft_wrap=True, force_terminal=True)
    )
    file = engine.file.read_bytes()
    runner = CliRunner()
    with runner.isolation(answer) as (_, said, _):
        monkeypatch.setattr(sys.stdin, "isatty", lambda: stdin)
        with pytest.raises(typer.Exit) if code else nullcontext() as end:
            command.shift(["v1-36=10"])
        assert (end.value.exit_code if end else Code.DONE) == code, said.getvalue()
    assert (engine.file.read_bytes() == file) is (code is not Code.DONE)


def test_the_head_of_the_file_stays(engine: Engine) -> None:
    run("v1-36=10", "--yes")
    assert engine.file.read_text().startswith(HEAD)


def test_a_maintenance_page_is_no_missing_rule_and_is_not_taken_away(engine: Engine) -> None:
    engine.tagged.close("web")
    said = run("v1-36=10", "--yes")
    assert said.exit_code == Code.REFUSED
    assert "web (fixed-response 503) are there and forward to no cluster" in said.stderr
    assert engine.asked == []


def test_requests_that_are_lost_already_are_told_before_the_question_and_not_laid_to_the_shift(engine: Engine) -> None:
    for cluster in ("v1-35", "v1-36"):
        engine.tagged.heal(cluster, 0)
    before = refused(engine, Code.USAGE, "v1-36=10").partition("Move web, grpc-api?")[0]
    told = "web: v1-35 has 0 of 1 healthy targets that its share needs, and requests that go there are lost, as"
    assert told in before
    said = run("v1-36=10", "--yes")
    assert said.exit_code == Code.FAILED
    last = " ".join(said.stderr.split()).partition("Waiting")[2]
    assert "as before no target is healthy in grpc-api: v1-35, grpc-api: v1-36, web: v1-35, web: v1-36" in last
    assert "rollback" not in last


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["v1-36=ten"], Code.USAGE), (["v1-36=10"], Code.USAGE), (["v1-36=10", "--yes"], Code.FAILED)],
)
def test_a_shift_that_fails_prints_a_document_all_the_same(engine: Engine, arguments: list[str], code: Code) -> None:
    engine.stops_after = 0
    said = run(*arguments, "--json")
    assert said.exit_code == code
    document = json.loads(said.stdout)
    assert list(document) == ["kind", "shape", "exitCode", "failure"]
    assert (document["kind"], document["exitCode"]) == ("shift", code)
    assert " ".join(document["failure"].split()) in " ".join(said.stderr.split())
