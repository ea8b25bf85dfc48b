"""What `cutover status` shows of a stack in the emulated AWS; EKS's calendar is stubbed, which that lacks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from cutover.aws import buckets, minutes, support, surroundings
from cutover.aws.hold import hold_name
from cutover.aws.session import LiveError
from cutover.commands import status as command
from cutover.commands.app import app
from cutover.commands.terminal import Code, results
from cutover.engine.project import Project
from cutover.rules import preflight
from cutover.rules.support import Support
from cutover.rules.verdict import Row, Verdict
from rehearsal.world.metrics import NAMESPACE, dimensions
from tests.conftest import ROOT
from tests.cutover.documents import as_documented
from tests.cutover.tagged import OWNER, Tagged, reach, tagged
from tests.rehearsal.emulated import REGION, running
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from cutover.rules.status import Status

OLD, NEW = "v1-35", "v1-36"
_HEADERS = ["route", "cluster", "wanted", "live", "seen", "healthy", "needed", "req/s", "5xx/s"]
TODAY = datetime.now(UTC).date()


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Tagged]:
    """Return the dev stack at 90 and 10, healthy enough for a rollback, and with a stack file that says the same."""
    with running(tmp_path) as cloud, tagged(cloud, ["web", "grpc-api"], {OLD: 90, NEW: 10}) as made:
        reach(cloud, monkeypatch)
        made.heal(OLD, 6)
        made.heal(NEW, 2)
        _file(monkeypatch, {OLD: 90, NEW: 10})
        monkeypatch.setattr(support, "read", lambda *_: [_support(OLD, "1.35", 123), _support(NEW, "1.36", -3)])
        yield made


def _support(cluster: str, version: str, days: int) -> Support:
    ends = (TODAY + timedelta(days=days), TODAY + timedelta(days=days + 366))
    return Support(cluster=cluster, version=version, policy="EXTENDED", standard=ends[0], extended=ends[1])


def _file(monkeypatch: pytest.MonkeyPatch, weights: Mapping[str, int], **changes: Any) -> None:
    """Let the stack file say these weights, and that the route takes five targets."""
    capacities = {f"routes.{route}.capacity": 5 for route in ("web", "grpc-api")}
    said = settings_of(
        "dev", {"weights": weights, **capacities, **{key.replace("_", "."): v for key, v in changes.items()}}
    )
    monkeypatch.setattr(Project, "settings", lambda _: said)


def _run(*arguments: str, columns: int = 80) -> Any:
    command = ["status", "-C", str(ROOT), "-s", "dev", *arguments]
    results.width = columns  # rich has asked for it when it was loaded
    return CliRunner().invoke(app, command)


def _json(*arguments: str) -> Any:
    return json.loads(_run("--json", *arguments).stdout)


def _place(document: Any, route: str, cluster: str) -> Any:
    return next(one for one in document["places"] if (one["route"], one["cluster"]) == (route, cluster))


def _lines(answer: Any, begin: str) -> list[str]:
    return [" ".join(line.split()) for line in answer.stdout.splitlines() if line.startswith(begin)]


def _count(stack: Tagged, route: str, cluster: str, minutes_ago: int, **metrics: int) -> None:
    """Let CloudWatch have counts of a target group in a minute."""
    listener = stack.cloud.client("elbv2").describe_listeners(ListenerArns=[stack.cloud.listener])["Listeners"][0]
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes_ago)
    stack.cloud.client("cloudwatch").put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": dimensions(listener["LoadBalancerArn"], stack.groups[route, cluster]),
                "Timestamp": at,
                "Value": value,
            }
            for name, value in metrics.items()
        ],
    )


@pytest.mark.usefixtures("stack")
def test_weights_health_and_need_stand_side_by_side() -> None:
    answer = _run()
    assert answer.exit_code == 0, answer.output
    assert _lines(answer, "web") == ["web v1-35 90 90 - 6 5 0.0 0.00"]
    assert _lines(answer, "grpc-api") == ["grpc-api v1-35 90 90 - 6 5 0.0 0.00"]
    assert _lines(answer, "     ")[0] == "v1-36 10 10 - 2 2 0.0 0.00"


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_is_cut_and_nothing_is_wider_than_the_terminal(stack: Tagged, columns: int) -> None:
    stack.set_weights("web", {OLD: 50, NEW: 50})
    answer = _run(columns=columns)
    assert max(len(line) for line in answer.stdout.splitlines()) <= columns
    assert "…" not in answer.stdout
    assert "\x1b" not in answer.stdout


def test_no_number_is_cut_where_weights_names_and_traffic_are_long(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    for route in stack.rules:
        stack.set_weights(route, {OLD: 900, NEW: 99})
    _file(monkeypatch, {OLD: 900, NEW: 99})
    _count(stack, "web", OLD, 3, RequestCount=3_703_680, HTTPCode_Target_5XX_Count=30_000)
    judged = command.judge
    monkeypatch.setattr(command, "judge", lambda *read: _renamed(judged(*read), "web", "checkout-payment"))
    narrow, wide = _run(), _run(columns=120)
    assert max(len(line) for line in narrow.stdout.splitlines()) <= 80
    assert narrow.stdout.splitlines()[0].split() == _HEADERS, narrow.stdout
    assert _lines(narrow, "checkout-payment")[0] == "checkout-payment v1-35 900 900 100.0% 6 5 12345.6 100.00"
    assert "v1-35 900 (90%) 900 (90%) 100.0% 6 5 12345.6 100.00" in _lines(wide, "checkout-payment")[0]


@pytest.mark.parametrize("columns", [40, 60])
def test_a_phone_shows_route_cluster_and_weights_of_every_place(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    stack.set_weights("web", {OLD: 50, NEW: 50})
    judged, name = command.judge, "checkout-payment-service"
    monkeypatch.setattr(command, "judge", lambda *read: _renamed(judged(*read), "web", name))
    answer = _run(columns=columns)
    lines = answer.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    first = lines.index(next(line for line in lines if line.startswith(name[:12])))
    assert "".join(line.split()[0] for line in lines[first : first + 3]).startswith(name[:12])
    assert next(line for line in lines if OLD in line).split()[1:4] == [OLD, "90", "50"]
    assert lines[0].split()[:4] == ["route", "cluster", "wanted", "live"]


def test_without_ssm_it_shows_all_else_and_says_what_is_missing(stack: Tagged) -> None:
    stack.set_weights("web", {OLD: 50, NEW: 50})
    stack.cloud.fault("GetParameter", service="ssm", code="AccessDeniedException", message="not allowed", remaining=99)
    answer = _run()
    assert answer.exit_code == 0, answer.output
    assert _lines(answer, "web")
    assert "whether one stands is not known" in answer.stdout
    document = json.loads(_run("--json").stdout)
    assert document["hold"] is None
    assert "GetParameter" in document["holdUnknown"]


def test_without_cloudwatch_nothing_is_said_to_cover_every_route(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    for route in stack.rules:
        stack.set_weights(route, {OLD: 50, NEW: 50})

    def refuse(*_: object) -> None:
        raise LiveError("not allowed")

    monkeypatch.setattr(buckets, "read", refuse)
    _file(monkeypatch, {OLD: 90, NEW: 10}, **{f"routes.{route}.capacity": None for route in ("web", "grpc-api")})
    said = " ".join(_run().stdout.split())
    assert "covers every route" not in said
    assert "what it can carry in web, grpc-api is not known: CloudWatch could not be read: not allowed" in said
    back = _json()["rollback"]
    assert (back["lands"], back["short"], set(back["unproven"])) == (None, {}, {"web", "grpc-api"})


def test_health_that_cannot_be_read_is_not_called_too_much(stack: Tagged) -> None:
    stack.cloud.fault("DescribeTargetHealth", code="AccessDenied", message="not allowed", status=403, remaining=99)
    answer = _run()
    assert answer.exit_code == 0, answer.output
    assert "too much" not in answer.stdout
    assert "whether that is enough is not known" in " ".join(answer.stdout.split())
    back = json.loads(_run("--json").stdout)["rollback"]
    assert (back["lands"], back["short"]) == (None, {})
    assert set(back["unknown"]) == {"web", "grpc-api"}


def _renamed(state: Status, route: str, name: str) -> Status:
    places = [replace(place, route=name if place.route == route else place.route) for place in state.places]
    return replace(state, places=places)


def test_the_group_of_a_stranger_is_shown_by_its_name_and_cuts_no_number(stack: Tagged) -> None:
    stranger = stack.cloud.group()
    groups = {stack.groups["web", OLD]: 90, stack.groups["web", NEW]: 10, stranger: 900}
    forward = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups.items()]
    stack.cloud.client("elbv2").modify_rule(
        RuleArn=stack.rules["web"],
        Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}],
    )
    answer = _run()
    name = stranger.split("/")[1]
    assert max(len(line) for line in answer.stdout.splitlines()) <= 80
    assert "arn:aws" not in answer.stdout.partition("->")[0]
    assert answer.stdout.splitlines()[0].split() == _HEADERS
    (row,) = (line.split() for line in answer.stdout.splitlines() if "targetgroup" in line and "900" in line.split())
    assert row[row.index("900") + 1 :] == ["-", "?", "5", "0.0", "0.00"]
    assert f"targetgroup/{name}" in "".join(_run(columns=160).stdout.split())


def test_the_share_that_clients_saw_is_counted_without_the_newest_minute(stack: Tagged) -> None:
    _count(stack, "web", OLD, 3, RequestCount=2700, HTTPCode_Target_2XX_Count=2700)
    _count(stack, "web", NEW, 3, RequestCount=300, HTTPCode_Target_2XX_Count=270, HTTPCode_Target_5XX_Count=30)
    _count(stack, "web", NEW, 0, RequestCount=100_000)
    found = _place(_json(), "web", NEW)
    assert found["seenShare"] == pytest.approx(0.1)
    assert found["requestsPerSecond"] == pytest.approx(1.0)
    assert found["errorsPerSecond"] == pytest.approx(0.1)
    assert _lines(_run(), "web")[0].split()[4] == "90.0%"


def test_a_cluster_without_a_share_is_held_against_what_a_rollback_would_give_it(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    for route in stack.rules:
        stack.set_weights(route, {OLD: 0, NEW: 100})
    _file(monkeypatch, {OLD: 0, NEW: 100})
    stack.heal(OLD, 3)
    stack.heal(NEW, 6)
    found = _place(_json(), "web", OLD)
    assert (found["healthy"], found["needed"], found["neededAtShare"]) == (3, 5, 1.0)
    answer = _run()
    assert _lines(answer, "web") == ["web v1-35 0 0 - 3 5* 0.0 0.00"]
    assert "needed by a rollback" in answer.stdout


def test_a_rollback_lands_where_the_older_cluster_has_enough(stack: Tagged) -> None:
    nothing = {"short": {}, "unknown": {}, "unproven": {}, "empty": []}
    assert _json()["rollback"] == {"to": OLD, "lands": True, **nothing}
    assert "would land on v1-35, which covers every route" in _run().stdout
    stack.heal(OLD, 4, "web")
    back = _json()["rollback"]
    assert (back["lands"], back["short"]) == (False, {"web": "4 of 5"})
    assert "would be too much for v1-35: web 4 of 5 healthy" in _run().stdout


def test_without_any_record_an_older_cluster_that_was_drained_is_told_with_what_gives_it_its_targets(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    for route in stack.rules:
        stack.set_weights(route, {OLD: 0, NEW: 100})
    _file(monkeypatch, {OLD: 0, NEW: 100})
    stack.heal(OLD, 0, "web")
    said = _run(columns=1000).stdout
    assert "v1-35 has no target at all in web: what a rollback sends there is lost" in said
    assert "`cutover retire v1-35 -s dev` goes on with it" in said
    assert "kubectl rollout restart deployment" in said
    assert _json()["rollback"]["empty"] == ["web"]


def test_a_route_with_a_maintenance_page_is_not_among_those_that_a_rollback_covers(stack: Tagged) -> None:
    stack.close("web")
    stack.heal(OLD, 0, "web")
    said = " ".join(_run().stdout.split())
    assert "would land on v1-35, which covers every route that forwards" in said
    assert "the rule of web (fixed-response 503) is there, and sends no request to any cluster" in said


def test_nothing_is_older_than_the_only_cluster_that_serves(stack: Tagged, monkeypatch: pytest.MonkeyPatch) -> None:
    for route in stack.rules:
        stack.set_weights(route, {OLD: 100, NEW: 0})
    _file(monkeypatch, {OLD: 100, NEW: 0})
    assert _json()["rollback"] is None
    said = " ".join(_run(columns=1000).stdout.split())
    assert "has nothing to go back to: v1-35 serves alone, and no cluster is older; to go to a newer one:" in said
    assert "`cutover rollback --to v1-36 -s dev`" in said


def test_a_cluster_below_what_its_share_needs_is_named(stack: Tagged) -> None:
    stack.heal(OLD, 3, "web")
    assert "web: v1-35 has 3 healthy of the 5 that 90% needs" in _run().stdout
    assert "grpc-api: v1-35 has" not in _run().stdout


def test_a_cluster_that_has_a_share_and_not_one_target_is_told_last_but_for_the_hold_and_ends_with_1(
    stack: Tagged,
) -> None:
    assert (_run().exit_code, _json()["emptied"]) == (Code.DONE, {})
    stack.heal(NEW, 0, "web")
    said = _run(columns=300)
    assert "web: v1-36 has a share and not one target, so what goes there is answered 503" in said.stdout
    assert said.exit_code == Code.REFUSED
    assert json.loads(_run("--json").stdout)["emptied"] == {"web": [NEW]}
    stack.set_weights("web", {OLD: 100, NEW: 0})
    assert "not one target" not in _run(columns=300).stdout


def test_no_shift_is_advised_that_names_the_group_of_a_stranger(stack: Tagged) -> None:
    stranger = stack.cloud.group()
    for route, rule in stack.rules.items():
        groups = {stack.groups[route, OLD]: 90, stack.groups[route, NEW]: 10, stranger: 100}
        forward = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups.items()]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}
        stack.cloud.client("elbv2").modify_rule(RuleArn=rule, Actions=[action])
    answer = _run(columns=300)
    assert "once the target group that is not the stack's is taken out of the rule" in answer.stdout
    assert "--write-only" not in answer.stdout


def test_live_weights_that_the_file_does_not_say_are_drift_with_a_cure(stack: Tagged) -> None:
    for route in stack.rules:
        stack.set_weights(route, {OLD: 50, NEW: 50})
    answer = _run(columns=300)
    assert "web: the file says v1-35 90, v1-36 10, AWS v1-35 50, v1-36 50" in answer.stdout
    assert "`cutover shift v1-35=50 v1-36=50 --write-only -s dev` keeps what AWS has" in answer.stdout
    assert "-> `cutover shift v1-35=90 v1-36=10 -s dev` brings the file's" in " ".join(answer.stdout.split())
    assert "half-moved" not in answer.stdout
    assert _json()["driftedRoutes"] == ["web", "grpc-api"]


def test_routes_that_should_move_together_and_did_not_are_half_moved(stack: Tagged) -> None:
    stack.set_weights("web", {OLD: 50, NEW: 50})
    said = _run(columns=200).stdout
    assert "web, grpc-api follow the same weights and give different shares" in said
    assert "run the last `cutover shift` again, or `cutover rollback -s dev`" in said
    assert _json()["halfMovedRoutes"] == ["web", "grpc-api"]


def test_the_same_shares_in_other_numbers_are_not_half_moved(stack: Tagged) -> None:
    stack.set_weights("web", {OLD: 9, NEW: 1})
    assert _json()["halfMovedRoutes"] == []
    assert _lines(_run(), "web")[0].split()[3:5] == ["9", "(90%)"]


def test_a_route_that_was_told_to_differ_is_not_half_moved(stack: Tagged, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.set_weights("web", {OLD: 50, NEW: 50})
    _file(monkeypatch, {OLD: 90, NEW: 10}, routes_web_weights={OLD: 50, NEW: 50})
    found = _json()
    assert (found["halfMovedRoutes"], found["driftedRoutes"]) == ([], [])
    assert [_place(found, route, NEW)["wantedWeight"] for route in ("web", "grpc-api")] == [50, 10]


def test_a_rule_that_is_gone_is_a_finding_with_what_makes_it_also_under_a_hold(stack: Tagged) -> None:
    hold = {"weights": {"grpc-api": {OLD: 90, NEW: 10}}, "who": "sre", "why": "errors", "when": "2026-11-24T03:00Z"}
    stack.cloud.client("ssm").put_parameter(Name=hold_name(OWNER), Value=json.dumps(hold), Type="String")
    stack.drop("web")
    said = " ".join(_run(columns=400).stdout.split())
    assert "web has no weighted rule in AWS" in said
    assert "pulumi up --refresh --target '**::web-weighted' -s dev. It gets the file's weights, v1-35 90" in said
    assert "which the hold allows" in said
    assert "cutover rollback -s dev` again" not in said
    document = _json()
    assert ([one.split()[0] for one in document["missing"]], document["driftedRoutes"]) == (["web"], [])


def test_a_hold_is_shown_last_with_the_way_out(stack: Tagged) -> None:
    hold = {"weights": {"web": {OLD: 100, NEW: 0}}, "who": "sre", "why": "errors", "when": "2026-11-24T03:00Z"}
    stack.cloud.client("ssm").put_parameter(Name=hold_name(OWNER), Value=json.dumps(hold), Type="String")
    last = _run("-s", "acme/dev", columns=200).stdout.splitlines()[-1]
    assert "by sre since 2026-11-24T03:00Z (errors)" in last
    assert "`cutover release -s acme/dev` lifts it" in last
    assert _json()["hold"] == {**hold, "version": ""}


@pytest.mark.usefixtures("stack")
def test_support_is_told_in_days_that_are_left() -> None:
    answer = _run()
    assert "v1-35 1.35 123 days left 489 days left EXTENDED" in _lines(answer, OLD)
    assert f"v1-36 1.36 ended {TODAY - timedelta(days=3)} 363 days left EXTENDED" in _lines(answer, NEW)
    assert _json()["clusters"][0]["standardSupportDays"] == 123


@pytest.mark.usefixtures("stack")
def test_a_cloudwatch_that_does_not_answer_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise LiveError("not allowed")

    monkeypatch.setattr(minutes, "read", refuse)
    answer = _run()
    assert answer.exit_code == 0
    assert "Traffic could not be counted: not allowed" in answer.stderr
    assert _lines(answer, "web") == ["web v1-35 90 90 - 6 5 - -"]


def test_an_aws_that_cannot_be_read_is_said_with_an_exit_code_of_its_own(stack: Tagged) -> None:
    stack.cloud.fault("DescribeRules", code="AccessDenied", message="not allowed", status=403, remaining=9)
    answer = _run()
    assert answer.exit_code == 3
    assert "not allowed" in answer.stderr
    assert answer.stdout == ""


def test_a_cluster_that_the_file_does_not_know_is_refused_with_those_that_it_knows(stack: Tagged) -> None:
    answer = _run("v1-37")
    assert answer.exit_code == 2
    assert "v1-37 is no cluster of Pulumi.dev.yaml" in answer.stderr
    assert "v1-35, v1-36" in answer.stderr
    assert stack.weights()["web"] == {OLD: 90, NEW: 10}


@pytest.mark.parametrize(("worst", "code"), [(Verdict.WARN, 0), (Verdict.UNKNOWN, 7), (Verdict.BAD, 1)])
def test_checks_follow_the_same_table_and_a_bad_one_is_the_exit_code(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch, worst: Verdict, code: int
) -> None:
    rows = [
        Row("CUT011", "aws CLI", Verdict.OK, "aws-cli/2.30.0"),
        Row("CUT019", "Secrets", worst, "not in v1-36: web/key", "Create it"),
    ]
    monkeypatch.setattr(surroundings, "read", lambda *_: SimpleNamespace(answers=[]))
    monkeypatch.setattr(preflight, "judge", lambda _: rows)
    answer = _run(NEW)
    assert answer.exit_code == code
    assert _lines(answer, "web") == ["web v1-35 90 90 - 6 5 0.0 0.00"]
    assert _lines(answer, str(worst)) == [f"{worst} CUT019 Secrets: not in v1-36: web/key"]
    assert "-> Create it" in answer.stdout
    hold = {"weights": {"web": {OLD: 100, NEW: 0}}, "who": "sre", "why": "errors", "when": "2026-11-24T03:00Z"}
    stack.cloud.client("ssm").put_parameter(Name=hold_name(OWNER), Value=json.dumps(hold), Type="String")
    found = _json(NEW)
    as_documented("status", found)
    assert found["key"] == NEW
    shown = [(row["code"], row["check"], row["verdict"]) for row in found["checks"]]
    assert shown == [("CUT011", "aws CLI", "ok"), ("CUT019", "Secrets", str(worst))]


@pytest.mark.usefixtures("stack")
def test_what_a_stack_ignores_is_shown_with_its_reason_and_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Row("CUT019", "Secrets", Verdict.BAD, "not in v1-36: web/key", "Create it", ignored="Vault injects it")
    monkeypatch.setattr(surroundings, "read", lambda *_: SimpleNamespace(answers=[]))
    monkeypatch.setattr(preflight, "judge", lambda _: [bad])
    ignored = {"CUT019": "Vault injects it", "CUT014": "another release", "CUT099": "a slip"}
    _file(monkeypatch, {OLD: 90, NEW: 10}, checks={"ignore": ignored})
    answer = _run(NEW)
    assert answer.exit_code == 0
    assert _lines(answer, "ignored") == ["ignored CUT019 Secrets: not in v1-36: web/key"]
    assert "-> Vault injects it" in answer.stdout
    assert answer.stdout.strip().endswith("v1-36 has nothing bad: 1 ignored")
    assert "checks.ignore.CUT014: images has nothing to ignore here. Take it out" in answer.stderr
    assert "checks.ignore.CUT099: there is no such check" in answer.stderr
    assert "checks.ignore.CUT019" not in answer.stderr
    [check] = _json(NEW)["checks"]
    assert (check["verdict"], check["ignored"]) == ("bad", "Vault injects it")


class _Eks(boto3.Session):
    """An account in which EKS answers what it is told."""

    def __init__(self, *answers: tuple[str, Any]) -> None:
        super().__init__("somebody", "somebody", region_name=REGION)
        self._answers = answers

    def client(self, *arguments: Any, **options: Any) -> Any:
        made: Any = super().client(*arguments, **options)
        stub = Stubber(made)
        for call, answer in self._answers:
            if answer is None:
                stub.add_client_error(call, "AccessDeniedException", "not allowed")
            else:
                stub.add_response(call, answer)
        stub.activate()
        return made


def test_the_ends_of_support_are_those_of_the_version_that_runs() -> None:
    cluster = {"version": "1.34", "upgradePolicy": {"supportType": "STANDARD"}}
    ends = {
        "clusterVersion": "1.34",
        "endOfStandardSupportDate": datetime(2026, 12, 2, tzinfo=UTC),
        "endOfExtendedSupportDate": datetime(2027, 12, 2, tzinfo=UTC),
    }
    versions = {"clusterVersions": [{"clusterVersion": "1.36"}, ends]}
    eks = _Eks(("describe_cluster", {"cluster": cluster}), ("describe_cluster_versions", versions))
    found = support.read(eks, settings_of("dev", drop=[f"clusters.{NEW}", f"weights.{NEW}"]))
    assert found == [
        Support(cluster=OLD, version="1.34", policy="STANDARD", standard=date(2026, 12, 2), extended=date(2027, 12, 2))
    ]
    assert found[0].forced == date(2026, 12, 2)


def test_an_eks_that_does_not_tell_leaves_the_ends_open_and_says_why() -> None:
    eks = _Eks(("describe_cluster", {"cluster": {"version": "1.35"}}), ("describe_cluster_versions", None))
    (found,) = support.read(eks, settings_of("dev", drop=[f"clusters.{NEW}", f"weights.{NEW}"]))
    assert (found.version, found.standard, found.extended) == ("1.35", None, None)
    assert "not allowed" in found.unread


@pytest.mark.parametrize("name", ["status", "shift", "promote", "rollback", "release", "retire", "guard"])
def test_the_help_of_every_command_fits_on_one_screen_with_an_example_and_where_its_json_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    lines = CliRunner().invoke(app, [name, "--help"]).stdout.splitlines()
    assert len(lines) <= 24
    assert sum(line.startswith(f" Example: cutover {name} ") for line in lines) == 1
    assert " JSON: docs/json.md" in (line.rstrip() for line in lines)
