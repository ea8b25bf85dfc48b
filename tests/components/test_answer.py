"""What a load balancer answers itself: one rule, which knows no cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.answer import Answer, AnswerArgs
from settings.answers import Answer as AnswerSettings
from settings.owner import ANSWER_TAG, ROUTE_TAG
from tests.conftest import record


def _rule(**wanted: Any) -> dict[str, Any]:
    answer = AnswerSettings.model_validate_json(json.dumps({"priority": 3, "hosts": ["old.example.com"], **wanted}))
    args = AnswerArgs(answer=answer, listener_arn="arn:listener", priority=40003)
    return record(lambda: Answer("old", args) and None).of("ListenerRule")["old-answer"].inputs


@pytest.mark.parametrize(
    ("wanted", "action"),
    [
        (
            {"redirect": {"host": "www.example.com", "query": ""}},
            {"type": "redirect", "redirect": {"statusCode": "HTTP_301", "host": "www.example.com", "query": ""}},
        ),
        (
            {"fixedResponse": {"code": "410", "body": "Gone"}},
            {
                "type": "fixed-response",
                "fixedResponse": {"contentType": "text/plain", "messageBody": "Gone", "statusCode": "410"},
            },
        ),
    ],
)
def test_it_has_one_action_at_its_place_and_no_tag_by_which_the_gate_would_judge_it(
    wanted: dict[str, Any], action: dict[str, Any]
) -> None:
    rule = _rule(**wanted)
    assert (rule["actions"], rule["priority"], rule["listenerArn"]) == ([action], 40003, "arn:listener")
    assert rule["conditions"] == [{"hostHeader": {"values": ["old.example.com"]}}]
    assert rule["tags"][ANSWER_TAG] == "old"
    assert ROUTE_TAG not in rule["tags"]
