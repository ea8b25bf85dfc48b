"""What AWS lacks is told with the command that makes it: by the stack file, and by the state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutover.rules.found import Found, TargetGroup, WeightedRule
from cutover.rules.missing import missing, unseen
from cutover.rules.move import Hold
from tests.settings.editing import settings_of

OLD, NEW = "v1-35", "v1-36"
ROUTES = ("web", "grpc-api")
GROUPS = {
    f"{route} {of}": TargetGroup(f"{route} {of}", route, of, checked=True) for route in ROUTES for of in (OLD, NEW)
}
RULES = {route: WeightedRule(route, "lb", {f"{route} {OLD}": 99, f"{route} {NEW}": 1}) for route in ROUTES}
WHOLE = Found(RULES, GROUPS, None)
ONLY_WEB = "pulumi up --refresh --target '**::web-weighted' -s acme/dev"
ALL = "pulumi up --refresh -s acme/dev"


def without(*names: str) -> Found:
    """Return what AWS has but rules, and groups, by their names."""
    return Found(
        {name: rule for name, rule in RULES.items() if name not in names},
        {name: group for name, group in GROUPS.items() if name not in names},
        None,
    )


def test_nothing_is_missing_where_all_is_there() -> None:
    assert missing(settings_of("dev"), WHOLE, "acme/dev") == []


@pytest.mark.parametrize(
    ("gone", "what", "cure"),
    [
        (["web"], "web has no weighted rule in AWS", f"To make it: {ONLY_WEB}. It gets the file's weights, v1-35 99"),
        (["web", f"web {OLD}", f"web {NEW}"], "its load balancer or listener is gone", f"To make it: {ALL}"),
        ([f"web {NEW}"], "web has no target group of v1-36 in AWS", f"To make it: {ALL}"),
    ],
)
def test_what_is_missing_is_told_with_what_makes_it(gone: list[str], what: str, cure: str) -> None:
    (one,) = missing(settings_of("dev"), without(*gone), "acme/dev")
    assert what in str(one)
    assert cure in str(one)


def test_a_cluster_that_is_on_its_way_out_and_a_route_that_is_not_live_lack_nothing() -> None:
    assert missing(settings_of("dev"), without(f"web {OLD}", f"grpc-api {OLD}"), "dev", without=OLD) == []
    assert missing(settings_of("dev", {"routes.web.live": False}), without("web"), "dev") == []


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({OLD: 100, NEW: 0}, "which the hold allows"),
        (
            {OLD: 50, NEW: 50},
            "which the hold forbids: give it v1-35 100, v1-36 0 in the file first or release the hold",
        ),
    ],
)
@pytest.mark.parametrize("held", ["web", "grpc-api"])  # one that had no rule then goes where the others went
def test_under_a_hold_it_says_at_which_weights_it_can_be_made(weights: dict[str, int], says: str, held: str) -> None:
    found = replace(without("web"), hold=Hold({held: {OLD: 100, NEW: 0}}))
    (one,) = missing(settings_of("dev", {"weights": weights}), found, "dev")
    assert str(one).endswith(says)


def test_what_the_state_has_and_aws_has_not_is_missing_too() -> None:
    state = {"web": {OLD: 99, NEW: 1}, "new": {}}
    assert unseen(state, WHOLE, "acme/dev") == []
    (rule,) = unseen(state, without("web"), "acme/dev")
    assert ("web has no weighted rule in AWS" in str(rule), ONLY_WEB in str(rule)) == (True, True)
    (group,) = unseen({"web": {"v1-34": 0, OLD: 99, NEW: 1}}, WHOLE, "acme/dev")
    assert ("web has no target group of v1-34 in AWS" in str(group), ALL in str(group)) == (True, True)
