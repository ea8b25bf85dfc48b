"""Probes in the hands of a shift: asked before a first share, written down for the gate, and what refuses.

AWS is the emulated one, the engine a stand-in, and what the preview rules answer is played here
(tests/cutover/aws/test_previews.py asks them).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import boto3
import pytest
import typer
from typer.testing import CliRunner

from cutover.aws.probe_records import record_name
from cutover.aws.writes import Writes
from cutover.commands import moving, probing
from cutover.commands.app import app
from cutover.commands.opened import Opened
from cutover.commands.terminal import Code
from cutover.engine.project import Project
from cutover.rules.facts import Answer
from cutover.rules.probes import Record, asks
from cutover.rules.verdict import Unread
from tests.cutover.fake_engine import Engine
from tests.cutover.tagged import OWNER, reach, tagged
from tests.rehearsal.emulated import REGION, running

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from cutover.rules.account import Account

ROUTES = ("web", "grpc-api")


class _Probes:
    """What the preview rules answer: by cluster a status, or why nobody is reached."""

    answered: ClassVar[dict[str, int | Unread]] = {}
    asked: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, _: object, account: Account, key: str) -> None:
        self._account, self._key = account, key

    def probes(self, routes: Sequence[str]) -> list[Answer]:
        self.asked.extend((route, self._key) for route in routes)
        status = self.answered.get(self._key, 200)
        every = self._account.settings.routes
        return [Answer(name, "https://a.b/", status, probe=one) for name in routes for one in every[name].probes]


@pytest.fixture
def probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Engine]:
    """Give a stack with probes for `web` and targets everywhere, of which the new cluster has no share."""
    monkeypatch.setattr(probing, "Previews", _Probes)
    monkeypatch.setattr(_Probes, "answered", {})
    monkeypatch.setattr(_Probes, "asked", [])
    with running(tmp_path) as cloud, tagged(cloud, ROUTES, {"v1-35": 100, "v1-36": 0}) as stack:
        reach(cloud, monkeypatch)
        for cluster in ("v1-35", "v1-36"):
            stack.heal(cluster, 4)
        stand_in = Engine(tmp_path, stack, {"routes.web.probes": [{"path": "/"}]})
        stand_in.write_weights({"v1-35": 100, "v1-36": 0})
        monkeypatch.setattr(Project, "find", lambda *_: stand_in)
        monkeypatch.setattr(moving, "PROPAGATION_SECONDS", 0)
        yield stand_in
        cloud.client("ssm").delete_parameters(Names=[record_name(OWNER, "web", "v1-36")])


def _run(share: str) -> Any:
    return CliRunner().invoke(app, ["shift", share, "--yes"])


def _refused(engine: Engine) -> str:
    """Ask for the first percent, which must be refused with nothing moved, and return what is said."""
    file, live = engine.file.read_bytes(), engine.tagged.weights()
    said = _run("v1-36=1")
    assert (said.exit_code, said.stdout) == (Code.REFUSED, ""), said.stderr
    assert (engine.file.read_bytes(), engine.tagged.weights()) == (file, live)
    return " ".join(said.stderr.split())


def _record(engine: Engine) -> str | None:
    found = engine.tagged.cloud.client("ssm").get_parameters(Names=[record_name(OWNER, "web", "v1-36")])["Parameters"]
    return json.loads(found[0]["Value"])["failed"] if found else None


def test_a_first_share_is_given_once_the_probes_are_answered_and_what_they_saw_is_written_down(probed: Engine) -> None:
    _Probes.answered["v1-36"] = 404
    said = _refused(probed)
    assert "web: v1-36 has no share yet, and its probes were last asked by" in said
    assert "GET https://a.b/ is answered with 404 in place of 200" in said
    assert _record(probed) == "GET https://a.b/ is answered with 404 in place of 200"
    assert "preview" not in probed.asked
    _Probes.answered["v1-36"] = 200
    assert _run("v1-36=1").exit_code == Code.DONE
    assert _record(probed) == ""
    assert _Probes.asked == [("web", "v1-36")] * 2
    _Probes.answered["v1-36"] = 404  # which serves now: metrics judge it, and nobody is asked
    assert _run("v1-36=10").exit_code == Code.DONE
    assert len(_Probes.asked) == 2


def test_where_nobody_is_reached_from_here_what_somebody_else_saw_counts(probed: Engine) -> None:
    _Probes.answered["v1-36"] = Unread("timed out")
    said = _refused(probed)
    assert "not asked from here: GET https://a.b/: timed out" in said
    assert "nobody has asked its probes" in said
    assert _record(probed) is None
    record = Record(
        who="sre@inside",
        when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        asks=asks(probed.settings(), "web"),
        failed="",
        version="",
    )
    Writes(boto3.Session(region_name=REGION), OWNER).saw("web", "v1-36", record)
    assert _run("v1-36=1").exit_code == Code.DONE


def test_an_override_lets_exactly_its_weights_pass_and_the_probes_are_shown(probed: Engine) -> None:
    _Probes.answered["v1-36"] = 404
    probed.changes |= {"gate": {"override": {"weights": {"v1-35": 99, "v1-36": 1}, "reason": "known"}}}
    said = _run("v1-36=1")
    assert said.exit_code == Code.DONE, said.stderr
    assert "v1-36: GET https://a.b/ is answered with 404 in place of 200" in said.stderr


def test_what_cannot_be_written_down_is_said(probed: Engine) -> None:
    denied = {"service": "ssm", "code": "AccessDeniedException", "message": "ssm:PutParameter"}
    probed.tagged.cloud.fault("PutParameter", **denied, remaining=2)
    said = _run("v1-36=1")
    assert "could not be written down, so the gate does not know it" in said.stderr
    assert said.exit_code == Code.DONE, "what was seen here is known here"


def test_a_promotion_asks_its_cluster_at_every_step(probed: Engine) -> None:
    assert _run("v1-36=1").exit_code == Code.DONE
    _Probes.answered["v1-36"] = 404
    with pytest.raises(typer.Exit) as end:
        moving.carry_out(Opened("promote", probed), lambda _: {"v1-36": 10}, yes=True, probed="v1-36")
    assert end.value.exit_code == Code.REFUSED
    assert probed.tagged.weights()["web"] == {"v1-35": 99, "v1-36": 1}
    _Probes.answered["v1-36"] = Unread("timed out")  # of whom nobody is reached, metrics alone tell
    moving.carry_out(Opened("promote", probed), lambda _: {"v1-36": 10}, yes=True, probed="v1-36")
    assert probed.tagged.weights()["web"] == {"v1-35": 90, "v1-36": 10}
