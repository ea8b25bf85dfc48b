"""A release deletes the hold that was shown, and no other; tests/cutover/commands/test_rollback.py has what it shows.

AWS is the emulated one. The engine is a stand-in, which a release does not ask for anything but its file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cutover.aws.hold import hold_name, hold_names
from cutover.commands import release as command
from cutover.commands.app import app
from cutover.commands.terminal import Code
from cutover.engine.project import Project
from tests.cutover.documents import as_documented
from tests.cutover.fake_engine import Engine
from tests.cutover.spoiled import PAGE, spoiled
from tests.cutover.tagged import OWNER, reach, tagged
from tests.rehearsal.emulated import running

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SHOWN = json.dumps({"weights": {"web": {"v1-35": 100}}, "who": "sre", "why": "5xx", "when": "2026-11-24T03:00Z"})
LATER = SHOWN.replace("5xx", "latency").replace("03:00", "04:00")
NO_HOLD = "{who: sre, until: noon}"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Engine]:
    with running(tmp_path) as cloud, tagged(cloud, ["web"], {"v1-35": 99, "v1-36": 1}) as stack:
        reach(cloud, monkeypatch)
        stand_in = Engine(tmp_path, stack)
        monkeypatch.setattr(Project, "find", lambda *_: stand_in)
        yield stand_in


def release(*more: str) -> Any:
    return CliRunner().invoke(app, ["release", *more])


def leave(engine: Engine, text: str) -> None:
    ssm = engine.tagged.cloud.client("ssm")
    ssm.put_parameter(Name=hold_name(OWNER), Value=text, Type="String", Overwrite=True)


def there(engine: Engine) -> list[str]:
    found = engine.tagged.cloud.client("ssm").get_parameters(Names=[hold_name(OWNER)])
    return [parameter["Value"] for parameter in found["Parameters"]]


def test_the_hold_that_was_shown_is_lifted(engine: Engine) -> None:
    leave(engine, SHOWN)
    said = release("--yes", "--json")
    assert said.exit_code == Code.DONE, said.stderr
    assert "a rollback of 2026-11-24T03:00Z by sre (5xx) holds the weights" in said.stderr
    as_documented("release", json.loads(said.stdout))
    assert there(engine) == []


def test_a_hold_whose_reason_no_terminal_can_write_is_shown_and_lifted(engine: Engine) -> None:
    leave(engine, SHOWN.replace("5xx", r"caf\udce9 is down"))  # what argv makes of a letter in another encoding
    said = release("--yes")
    assert said.exit_code == Code.DONE, said.exception
    assert r"caf\udce9 is down" in said.stdout
    assert there(engine) == []


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (LATER, "a rollback of 2026-11-24T04:00Z by sre (latency) holds the weights now"),
        (NO_HOLD, "is not a hold that this program wrote"),
    ],
)
def test_a_hold_that_came_while_somebody_thought_about_the_first_one_stays(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, new: str, says: str
) -> None:
    leave(engine, SHOWN)
    monkeypatch.setattr(command, "confirm", lambda *_, **__: leave(engine, new))
    said = release()
    assert said.exit_code == Code.BUSY
    assert says in said.stderr
    assert "cutover status -s dev" in said.stderr
    assert there(engine) == [new]


def test_a_hold_whose_deletion_never_reached_ssm_is_not_told_as_lifted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(engine, SHOWN)
    cloud = engine.tagged.cloud
    with spoiled(cloud.endpoint, lambda _, action: PAGE if action == "DeleteParameter" else None) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        said = release("--yes")
    assert said.exit_code == Code.FAILED
    assert "The hold stands still" in said.stderr
    assert "is lifted" not in said.stderr
    assert there(engine) == [SHOWN]


def test_a_hold_at_the_old_name_which_may_be_another_projects_is_not_lifted_unseen(engine: Engine) -> None:
    leave(engine, SHOWN)
    former, ssm = hold_names(OWNER)[1], engine.tagged.cloud.client("ssm")
    ssm.put_parameter(Name=former, Value=LATER, Type="String")
    said = release("--yes")
    assert said.exit_code == Code.DONE, said.stderr
    assert ssm.get_parameter(Name=former)["Parameter"]["Value"] == LATER
    assert "a rollback of 2026-11-24T04:00Z by sre (latency) holds the weights now" in said.stderr
    assert "Weights can be moved again" not in said.stderr


def test_what_changes_while_somebody_thinks_about_it_leaves_the_hold(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(engine, SHOWN)
    changes = [
        lambda: engine.tagged.set_weights("web", {"v1-35": 70, "v1-36": 30}),
        lambda: engine.file.write_text("weights: {v1-35: 1, v1-36: 99}"),
    ]
    for change, says in zip(changes, ["and has v1-35 70, v1-36 30", "has been edited"], strict=True):
        monkeypatch.setattr(command, "confirm", lambda *_, change=change, **__: change())
        said = release()
        assert said.exit_code == Code.BUSY, said.stderr
        assert says in said.stderr
        assert there(engine) == [SHOWN]


def test_a_rule_that_is_gone_is_told_with_what_makes_it_under_this_very_hold(engine: Engine) -> None:
    leave(engine, SHOWN)
    engine.tagged.drop("web")
    said = release("--yes")
    assert said.exit_code == Code.DONE, said.stderr
    assert "moves nothing" not in said.stdout
    assert "web has no weighted rule in AWS" in said.stdout
    assert "pulumi up --refresh --target '**::web-weighted' -s dev" in said.stdout
    assert "which the hold forbids: give it v1-35 100 in the file first" in said.stdout


def test_a_maintenance_page_is_no_move_and_does_not_go_unasked(engine: Engine) -> None:
    leave(engine, SHOWN)
    engine.tagged.close("web")
    said = release("--yes", "--json")
    assert said.exit_code == Code.DONE, said.stderr
    assert "moves nothing" not in said.stderr
    assert "The weighted rules of web (fixed-response 503) forward to no cluster" in said.stderr
    assert "Once it may go: pulumi up --refresh -s dev" in said.stderr
    document = json.loads(said.stdout)
    as_documented("release", document)
    assert (document["moves"], document["rulesWithoutForward"]) == ([], {"web": "fixed-response 503"})


def test_a_route_that_the_file_no_longer_has_is_not_called_the_same(engine: Engine) -> None:
    leave(engine, SHOWN)
    engine.changes["routes.web.live"] = False
    said = release("--yes")
    assert "moves nothing" not in said.stdout
    assert "web: v1-35 99, v1-36 1 -> no rule, which the gate refuses" in said.stdout


HALF_RIGHT = [
    *(SHOWN.replace("100", weight) for weight in ("1.5", "100.0", "-1", "1000", "NaN", "true", "null", '"5"', "[5]")),
    *(SHOWN.replace('{"v1-35": 100}', weights) for weights in ("5", "[]", "null", '"v1-35"')),
    *(SHOWN.replace('"sre"', who) for who in ("5", "null", "[]")),
    SHOWN.replace('"who": "sre", ', ""),
    SHOWN.replace("who", "whom"),
    f"[{SHOWN}]",
    "null",
    "[" * 100_000,
]


@pytest.mark.parametrize(
    "text", [NO_HOLD, '{"weights": []}', '{"weights": {"web": 5}}', *HALF_RIGHT], ids=lambda text: text[:40]
)
def test_what_is_no_hold_is_lifted_unread_with_a_warning(engine: Engine, text: str) -> None:
    leave(engine, text)
    asked = release()
    assert (asked.exit_code, there(engine)) == (Code.USAGE, [text])
    said = release("--yes", "--json")
    assert said.exit_code == Code.DONE, said.stderr
    assert "Nobody can tell who left it, and why" in said.stderr
    document = json.loads(said.stdout)
    assert document["hold"] is None
    assert "is not a hold that this program wrote" in document["unreadable"]
    assert there(engine) == []
