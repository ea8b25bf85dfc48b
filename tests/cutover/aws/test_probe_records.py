"""What probes saw, as SSM keeps it: written, read again, and never taken for more than it says."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest

from cutover.aws.account import read
from cutover.aws.live import Live
from cutover.aws.probe_records import record_name
from cutover.aws.writes import Writes
from cutover.rules.probes import Record, asks
from cutover.rules.verdict import Unread
from tests.cutover.tagged import OWNER, Tagged, reach, tagged
from tests.rehearsal.emulated import REGION, running
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

OLD, NEW = "v1-35", "v1-36"
RECORD = Record(who="sre@ops", when="2026-11-28T14:00Z", asks="these", failed="", version="0.2.0")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Tagged]:
    with running(tmp_path) as cloud, tagged(cloud, ["web", "grpc-api"], {OLD: 100, NEW: 0}) as made:
        reach(cloud, monkeypatch)
        yield made
        names = [record_name(OWNER, "web", cluster) for cluster in (OLD, NEW)]
        cloud.client("ssm").delete_parameters(Names=names)


def _live() -> Live:
    return Live(boto3.Session(region_name=REGION), OWNER)


def test_what_is_written_is_read_and_the_later_word_counts(stack: Tagged) -> None:
    writes, place = Writes(boto3.Session(region_name=REGION), OWNER, {"team": "shop"}), ("web", NEW)
    assert _live().probed([place]) == {place: None}
    for failed in ("", "GET / is answered with 404 in place of 200"):
        record = Record(**{**asdict(RECORD), "failed": failed})
        writes.saw(*place, record)
        assert _live().probed([place, ("web", OLD)]) == {place: record, ("web", OLD): None}
    ssm = stack.cloud.client("ssm")
    told = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=record_name(OWNER, *place))["TagList"]
    assert told == [{"Key": "team", "Value": "shop"}]
    writes.forget(NEW, ["web", "grpc-api"])
    assert _live().probed([place]) == {place: None}


@pytest.mark.parametrize(
    "value",
    [
        "no JSON",
        "[]",
        "{}",
        json.dumps({**asdict(RECORD), "when": "yesterday"}),
        json.dumps({**asdict(RECORD), "when": "2026-11-28T14:00"}),
        json.dumps({**asdict(RECORD), "failed": None}),
        json.dumps({**asdict(RECORD), "more": ""}),
    ],
)
def test_what_is_no_record_is_not_taken_for_one(stack: Tagged, value: str) -> None:
    stack.cloud.client("ssm").put_parameter(Name=record_name(OWNER, "web", NEW), Value=value, Type="String")
    assert isinstance(_live().probed([("web", NEW)])["web", NEW], Unread)


def test_records_are_read_of_first_shares_of_routes_with_probes_alone(stack: Tagged) -> None:
    settings = settings_of("dev", {"routes.web.probes": [{"path": "/"}], "weights": {OLD: 99, NEW: 1}})
    writes, when = Writes(boto3.Session(region_name=REGION), OWNER), datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    asked, session = list[str](), boto3.Session(region_name=REGION)
    session.events.register("provide-client-params.ssm.GetParameter", lambda params, **_: asked.append(params["Name"]))
    assert read(_live(), settings).probed["web", NEW].said == "nobody has asked its probes"
    writes.saw("web", NEW, Record(**{**asdict(RECORD), "when": when, "asks": asks(settings, "web")}))
    account = read(Live(session, OWNER), settings)
    assert {place: one.well for place, one in account.probed.items()} == {("web", NEW): True}
    arn = stack.groups["web", NEW]
    assert account.move("web", {OLD: 99, NEW: 1}).probed[arn].well
    assert not account.move("web", {OLD: 99, NEW: 1}).probed[stack.groups["web", OLD]].well
    assert account.move("grpc-api", {OLD: 99, NEW: 1}).probed == {}
    stack.set_weights("web", {OLD: 99, NEW: 1})
    assert read(_live(), settings.model_copy(update={"weights": {OLD: 50, NEW: 50}})).probed == {}
    assert [name for name in asked if "probes" in name] == [record_name(OWNER, "web", NEW)]
