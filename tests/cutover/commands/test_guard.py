"""`cutover guard`: what a pull request is told, on plans of the real engine over rules and groups in AWS."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cutover.aws.session import session
from cutover.aws.writes import Writes
from cutover.commands import terminal
from cutover.commands.app import app
from cutover.commands.comment import Judged, document, markdown
from cutover.commands.terminal import Code
from cutover.engine.project import Project
from cutover.inside import lists
from cutover.rules.history import Update
from cutover.rules.move import Hold
from cutover.rules.run import Run, Step
from settings import SettingsError
from settings.imports import LISTENER_RULE
from tests.conftest import PROJECT, ROOT, stack_config
from tests.cutover import plans
from tests.cutover.documents import as_documented
from tests.cutover.tagged import OWNER, Tagged, reach, tagged
from tests.rehearsal.emulated import running
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from typer.testing import Result

OLD, NEW = "v1-35", "v1-36"
LIVE = {"web": {OLD: 99, NEW: 1}, "grpc-api": {OLD: 99, NEW: 1}}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Tagged]:
    """Return the stack dev as the plans were made on it: 99 on the old cluster, 1 on the new one."""
    with running(tmp_path) as cloud, tagged(cloud, ["web", "grpc-api"], {OLD: 99, NEW: 1}) as made:
        reach(cloud, monkeypatch)
        monkeypatch.setattr(Project, "settings", lambda _: settings_of("dev"))
        for cluster in (OLD, NEW):
            made.heal(cluster, 1)
        yield made


def _guard(monkeypatch: pytest.MonkeyPatch, plan: str, *arguments: str) -> Result:
    monkeypatch.setattr(Project, "preview", lambda _: plans.play(plan))
    return CliRunner().invoke(app, ["guard", "-C", str(ROOT), "-s", "dev", *arguments])


@pytest.mark.usefixtures("stack")
def test_a_shift_is_allowed_and_shows_weights_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = _guard(monkeypatch, "shift-one-route")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        "<!-- cutover guard dev -->",
        "",
        "## dev: shift",
        "",
        "**Allowed.** Requests go to v1-35 and v1-36 now.",
        "",
        "| weights | v1-35 | v1-36 |",
        "| --- | --- | --- |",
        "| web | 99 → 50 | 1 → 50 |",
        "",
        "| where | plan | resources |",
        "| --- | --- | --- |",
        "| route web | update | ListenerRule `web-weighted` (weights) |",
    ]
    assert "Previewing dev" in answer.stderr


@pytest.mark.usefixtures("stack")
def test_of_a_silent_cluster_it_is_said_that_the_plan_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    def silent(clusters: dict[str, tuple[object, str]]) -> list[str]:
        asked.append({key: name for key, (_, name) in clusters.items()})
        return [OLD]

    monkeypatch.setattr(lists, "silent", silent)
    monkeypatch.setattr(Project, "preview_but", lambda _, silent: plans.play("shift-one-route") if silent else None)
    answer = CliRunner().invoke(app, ["guard", "-C", str(ROOT), "-s", "dev"])
    assert (answer.exit_code, asked) == (0, [{OLD: "dev-v1-35", NEW: "dev-v1-36"}])
    assert "but for what stands inside v1-35" in answer.stderr
    assert "The Kubernetes API of v1-35 does not answer from here, so nothing tells what this" in answer.stdout
    answer = CliRunner().invoke(app, ["guard", "-C", str(ROOT), "-s", "dev", "--json"])
    assert json.loads(answer.stdout)["silent"] == [OLD]


@pytest.mark.usefixtures("stack")
def test_a_plan_that_breaks_a_rule_is_refused_with_what_breaks_it_and_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = _guard(monkeypatch, "shift-and-addon")
    assert answer.exit_code == 1
    assert "**Refused**: it breaks a rule in 1 step." in answer.stdout
    assert (
        "- **Weights move alone**: update Addon `v1-36-coredns`. Requests move while v1-36-coredns would change"
        in answer.stdout
    )
    assert "Apply the rest first, and move the weights in a change of their own." in answer.stdout


@pytest.mark.usefixtures("stack")
def test_what_the_gate_refuses_is_shown_once_however_many_rules_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = _guard(monkeypatch, "shift-refused")
    assert "the client connection is closing" not in answer.stdout
    assert answer.exit_code == 1
    assert "**Refused**: its preview failed" in answer.stdout
    assert answer.stdout.count("web: v1-35 has 0 healthy targets and would need") == 1


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("plan", "shown"),
    [
        ("nodes-replaced", "| v1-35 (serves) | replace | NodeGroup `v1-35-nodes` (`instanceTypes`) |"),
        # Deleted first: its first step does not say why.
        ("attribute", "VirtualNode `v1-35-grpc-api` (`spec.serviceDiscovery.awsCloudMap.attributes[0].value`) |"),
    ],
)
def test_a_replacement_is_shown_with_what_causes_it(monkeypatch: pytest.MonkeyPatch, plan: str, shown: str) -> None:
    assert shown in _guard(monkeypatch, plan).stdout


@pytest.mark.usefixtures("stack")
def test_the_advice_to_lift_protection_does_not_reach_the_pull_request(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = _guard(monkeypatch, "serving-cluster-removed")
    assert "cannot be deleted because it is protected" in answer.stdout
    assert "unprotect" not in answer.stdout


def test_which_clusters_serve_is_read_from_aws_and_not_from_the_state(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan retires the old cluster, whose weight is 0 in the state."""
    monkeypatch.setattr(Project, "history", lambda _: [])
    refused = _guard(monkeypatch, "retire")
    assert refused.exit_code == 1
    assert "v1-35 serves, and its requests could fail" in refused.stdout
    assert "The weights of grpc-api and web in AWS are not those of the state" in refused.stdout
    for route in ("web", "grpc-api"):
        stack.set_weights(route, {OLD: 0, NEW: 100})
    moved = _guard(monkeypatch, "retire")
    assert "v1-35 serves" not in moved.stdout
    assert "| web | 0 → none | 100 |" in moved.stdout


@pytest.fixture
def retiring(stack: Tagged, monkeypatch: pytest.MonkeyPatch) -> _History:
    """Return the history of a stack whose old cluster has no share in AWS, and that the file no longer has."""
    for route in ("web", "grpc-api"):
        stack.set_weights(route, {OLD: 0, NEW: 100})
    stack.heal(NEW, 4)
    gone: dict[str, Any] = {"clusters": {NEW: stack_config("dev")[f"{PROJECT}:clusters"][NEW]}, "weights": {NEW: 100}}
    monkeypatch.setattr(Project, "settings", lambda _: settings_of("dev", gone))
    history = _History()
    monkeypatch.setattr(Project, "history", lambda _: history.updates)
    return history


class _History:
    """The updates of a stack: the old cluster had all, and none since ``hours`` ago."""

    hours = 48.0

    @property
    def updates(self) -> list[Update]:
        ended = datetime.now(UTC) - timedelta(hours=self.hours)
        clusters = stack_config("dev")[f"{PROJECT}:clusters"]
        return [
            Update(at, succeeded=True, config={f"{PROJECT}:clusters": clusters, f"{PROJECT}:weights": weights})
            for at, weights in (
                (ended - timedelta(days=9), {OLD: 100, NEW: 0}),
                (ended, {OLD: 0, NEW: 100}),
            )
        ]


def test_a_retirement_that_the_command_would_refuse_is_refused_by_the_same_reasons(
    retiring: _History, monkeypatch: pytest.MonkeyPatch
) -> None:
    retiring.hours = 0.1
    answer = _guard(monkeypatch, "retire")
    assert answer.exit_code == Code.REFUSED
    assert "**Refused**: v1-35 may not go yet." in answer.stdout
    assert "### Why v1-35 may not go yet" in answer.stdout
    assert "- v1-35 has been at weight 0 for 6 min, and must have been for 24 h" in answer.stdout
    (reason,) = json.loads(_guard(monkeypatch, "retire", "--json").stdout)["leaving"][OLD]
    assert reason["acknowledge"] is None


def test_a_retirement_after_its_soak_is_allowed_and_says_what_only_somebody_can_know(
    retiring: _History, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert retiring.hours == 48
    answer = _guard(monkeypatch, "retire")
    assert answer.exit_code == Code.DONE
    assert "### What somebody must know before v1-35 goes" in answer.stdout
    assert "had no request in the last 24 h, so that v1-35 had none proves nothing" in answer.stdout
    assert "--acknowledge" not in answer.stdout, "which no plan takes"


def test_a_retirement_in_one_plan_with_a_build_is_told_to_be_split(
    retiring: _History, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert retiring.updates
    answer = _guard(monkeypatch, "retire-and-build")
    assert answer.exit_code == Code.REFUSED
    assert "- **A cluster is taken away by a change of its own**" in answer.stdout
    assert "Split it: apply the rest first, and take v1-35 away in a change of its own." in answer.stdout


@pytest.mark.usefixtures("stack")
def test_lifted_protection_is_no_plan_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = _guard(monkeypatch, "protect-lifted")
    assert "## dev: protection" in answer.stdout
    assert json.loads(_guard(monkeypatch, "protect-lifted", "--json").stdout)["change"] == "protection"


def test_a_hold_is_told_also_where_the_plan_has_its_weights(stack: Tagged, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = Hold(LIVE, who="sre@laptop", why="5xx", when="2026-11-24T19:26Z")
    Writes(session(settings_of("dev").aws), OWNER).hold(hold)
    answer = _guard(monkeypatch, "nothing")
    assert answer.exit_code == Code.DONE
    assert "by sre@laptop (5xx) holds the weights (web v1-35 99, v1-36 1; grpc-api v1-35 99, v1-36 1)" in answer.stdout
    assert "until `cutover release -s dev`" in answer.stdout
    assert json.loads(_guard(monkeypatch, "nothing", "--json").stdout)["hold"]["who"] == "sre@laptop"
    assert stack.weights() == LIVE


@pytest.mark.usefixtures("stack")
def test_what_the_program_warns_of_reaches_the_pull_request(monkeypatch: pytest.MonkeyPatch) -> None:
    warned = replace(plans.play("nothing"), warnings=("clusters.v1-35.meshName changes nothing",))
    monkeypatch.setattr(Project, "preview", lambda _: warned)
    answer = CliRunner().invoke(app, ["guard", "-C", str(ROOT), "-s", "dev"])
    assert "### What the preview warns of\n\n- clusters.v1-35.meshName changes nothing" in answer.stdout


def test_a_state_that_lags_behind_aws_is_no_overwrite(stack: Tagged, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.set_weights("web", {OLD: 50, NEW: 50})
    lags = _guard(monkeypatch, "shift-one-route").stdout
    assert "AWS has the new weights of web already, from a rollback or a shift that the state does not know of" in lags
    assert "overwrites" not in lags
    stack.set_weights("web", {OLD: 70, NEW: 30})
    moves = _guard(monkeypatch, "shift-one-route").stdout
    assert "this change overwrites that" in moves
    assert "already" not in moves


def test_a_rule_that_the_state_has_and_aws_has_not_is_refused(stack: Tagged, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.drop("grpc-api")
    refused = _guard(monkeypatch, "shift-one-route")
    assert refused.exit_code == Code.REFUSED
    assert "**Refused**: AWS lacks what the state has" in refused.stdout
    assert "- **grpc-api** has no weighted rule in AWS" in refused.stdout
    assert "pulumi up --refresh --target '**::grpc-api-weighted' -s dev." in refused.stdout
    assert json.loads(_guard(monkeypatch, "shift-one-route", "--json").stdout)["missing"][0].startswith("grpc-api ")


def test_a_maintenance_page_is_told_and_is_no_move_of_somebody_else(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.close("web")
    said = _guard(monkeypatch, "shift-one-route").stdout
    assert "The rule of web (fixed-response 503) forwards to no cluster" in said
    assert "`pulumi up --refresh -s dev`" in said
    assert "overwrites" not in said
    document = json.loads(_guard(monkeypatch, "shift-one-route", "--json").stdout)
    assert document["rulesWithoutForward"] == {"web": "fixed-response 503"}


def test_a_cluster_behind_maintenance_pages_may_not_go(stack: Tagged, monkeypatch: pytest.MonkeyPatch) -> None:
    for route in ("web", "grpc-api"):
        stack.close(route)
    said = _guard(monkeypatch, "serving-cluster-removed").stdout
    assert "Requests go to no cluster now." in said
    assert "**What serves is neither replaced nor deleted**" in said


@pytest.mark.usefixtures("stack")
def test_a_route_without_a_rule_in_aws_may_go(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = _guard(monkeypatch, "idle-route-removed")
    assert (answer.exit_code, "## dev: retire" in answer.stdout) == (0, True)


def _wrong(_: Project) -> None:
    raise SettingsError("1 mistake in Pulumi.dev.yaml; nothing has been changed.")


@pytest.mark.usefixtures("stack")
def test_a_stack_file_that_is_wrong_is_shown_like_a_refusal_beside_what_is_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Project, "settings", _wrong)
    answer = _guard(monkeypatch, "shift")
    assert answer.exit_code == 2
    assert "1 mistake in Pulumi.dev.yaml" in answer.stdout
    assert "## dev: no plan" in answer.stdout
    assert "nothing was planned. Requests go to v1-35 and v1-36 now." in answer.stdout
    told = json.loads(_guard(monkeypatch, "shift", "--json").stdout)
    assert (told["change"], told["serving"]) == ("unknown", [OLD, NEW])


def test_of_an_account_that_cannot_be_read_nobody_says_that_nothing_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Project, "settings", _wrong)
    monkeypatch.setattr(Project, "aws", lambda *_: settings_of("dev", {"aws:profile": "nobody"}).aws)
    answer = _guard(monkeypatch, "shift")
    assert answer.exit_code == 2
    assert "Nothing tells where requests go now:" in answer.stdout
    assert "no cluster" not in answer.stdout


def test_aws_that_cannot_be_read_is_no_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Project, "settings", lambda _: settings_of("dev", {"aws:profile": "nobody"}))
    answer = _guard(monkeypatch, "shift")
    assert (answer.exit_code, answer.stdout) == (3, "")
    assert "AWS could not be read" in answer.stderr


@pytest.mark.usefixtures("stack")
def test_json_has_the_judgement_for_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = _guard(monkeypatch, "shift-and-addon", "--json")
    told: dict[str, Any] = json.loads(answer.stdout)
    assert answer.exit_code == 1
    held = {"weights": {}, "who": "", "why": "", "when": "", "version": ""}  # and one with a hold, as asdict makes it
    as_documented("guard", told, {**told, "hold": held})
    assert (told["stack"], told["refused"]) == ("dev", True)
    assert (told["change"], told["serving"], told["failure"]) == ("mixed", [OLD, NEW], "")
    assert told["weights"]["web"] == {
        "live": {OLD: 99, NEW: 1},
        "state": {OLD: 99, NEW: 1},
        "planned": {OLD: 50, NEW: 50},
    }
    assert {"op": "update", "name": "v1-36-coredns", "cluster": NEW}.items() <= told["steps"][-1].items()
    (violation,) = told["violations"]
    assert (violation["rule"], violation["op"], violation["name"]) == ("weights move alone", "update", "v1-36-coredns")


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("columns", [80, 120])
def test_on_a_terminal_it_is_laid_out_in_the_columns_that_there_are(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    screen = Console(file=StringIO(), force_terminal=True, color_system=None, width=columns, soft_wrap=True)
    monkeypatch.setattr(terminal, "results", screen)
    assert _guard(monkeypatch, "serving-cluster-removed").exit_code == 1
    shown = screen.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert "What serves is neither replaced nor deleted" in shown
    assert "**" not in shown
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines())) <= columns


@pytest.mark.parametrize("plan", ["tags", "serving-cluster-removed", "cluster-at-0", "protect-lifted"])
def test_a_large_plan_stays_a_comment_that_can_be_read(plan: str) -> None:
    told = markdown(Judged(stack="dev", named="dev", run=plans.play(plan), live=LIVE, serving={OLD, NEW}))
    assert max(map(len, told.splitlines())) < 700  # a cell or a point of the list: what a screen shows at once
    for line in told.splitlines():
        assert not line.startswith("|") or line.count("|") in {4, 5}


@pytest.mark.parametrize(
    ("op", "live", "said", "key"),
    [
        ("create", {}, "**web** takes the requests that `rule 1000 (app.example.com)`", "takesFrom"),
        ("delete", LIVE, "**web** gives its requests back to `rule 1000 (app.example.com)`", "givesBackTo"),
    ],
)
def test_a_pull_request_says_from_whose_rule_a_route_takes_and_to_whose_it_gives_back(
    op: str, live: Any, said: str, key: str
) -> None:
    urn = f"urn:pulumi:dev::eks-cutover::eks-cutover:route:Route${LISTENER_RULE}::web-weighted"
    run = Run((Step(op, LISTENER_RULE, "web-weighted", urn=urn),), (), 0.0)
    rules = ["rule 1000 (app.example.com)"]
    judged = Judged(stack="dev", named="dev", run=run, live=live, serving={OLD}, beside={"web": rules})
    assert said in markdown(judged)
    assert "## dev: shift" in markdown(judged)
    assert document(judged)[key] == {"web": rules}
    assert not judged.refused


def test_a_pull_request_says_that_requests_are_lost_now_and_does_not_blame_the_change() -> None:
    judged = Judged(stack="dev", named="dev", run=Run((), (), 0.0), live=LIVE, serving={OLD}, emptied={"web": [OLD]})
    assert f"**Requests are lost now**: there is a share and not one target in web ({OLD})" in markdown(judged)
    assert document(judged)["emptied"] == {"web": [OLD]}
    assert not judged.refused
