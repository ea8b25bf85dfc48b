"""Which of two routes gets a request that both match: refused where one gets none, told where they share some."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.conditions import covers, shared
from tests.settings.editing import edited, message, settings_of

PATTERNS = st.text("ab*?", min_size=0, max_size=4)
TEXTS = ["".join(signs) for length in range(5) for signs in product("ab", repeat=length)]


def two(first: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return an edit of the dev stack: hosts and paths of its two routes, web first."""
    nothing: dict[str, Any] = {"hosts": [], "paths": []}
    changes = {"web": nothing | first, "grpc-api": nothing | other}
    return {f"routes.{name}.{key}": value for name, one in changes.items() for key, value in one.items()}


@given(PATTERNS, PATTERNS)
def test_patterns_are_compared_as_the_load_balancer_matches_them(one: str, other: str) -> None:
    here, there = (
        settings_of("dev").routes["web"].model_copy(update={"hosts": (), "paths": (f"/{text}",)})
        for text in (one, other)
    )
    matched = [{text for text in TEXTS if fnmatchcase(text, pattern)} for pattern in (one, other)]
    if covers(here, there):
        assert matched[1] <= matched[0]
    if matched[0] & matched[1]:
        assert shared(here, there)


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ({"hosts": ["app.example.com"], "paths": ["/api/*"]}, {"hosts": ["app.example.com"]}),
        ({"hosts": ["app.example.com"]}, {"hosts": ["*.example.com"]}),
        ({"hosts": ["app.example.com"]}, {"hosts": ["grpc.example.com"]}),
        ({"paths": ["/a/*"]}, {"paths": ["/b/*", "/*"]}),
    ],
)
def test_the_narrower_route_may_come_first_without_a_word(first: dict[str, Any], other: dict[str, Any]) -> None:
    changes = two(first, other)
    assert message("dev", edited("dev", changes)) == ""
    assert len(settings_of("dev", changes).warnings) == 1  # of the mesh


@pytest.mark.parametrize(
    ("first", "other", "both"),
    [
        ({"hosts": ["app.example.com"]}, {"paths": ["/api/*"]}, "app.example.com/api/*"),
        ({"hosts": ["*.example.com"], "paths": ["/api/*"]}, {"hosts": ["App.Example.com"]}, "app.example.com/api/*"),
        ({"paths": ["/a/*", "/b/*"]}, {"paths": ["/b/c", "/d"]}, "*/b/c"),
    ],
)
def test_of_two_routes_that_share_requests_it_is_told_who_gets_them(
    first: dict[str, Any], other: dict[str, Any], both: str
) -> None:
    changes = two(first, other)
    assert message("dev", edited("dev", changes)) == ""
    assert settings_of("dev", changes).warnings[1:] == (
        f"The routes web and grpc-api both match {both}. Such requests go to web, whose priority 1 comes before 2.",
    )


def test_routes_of_two_load_balancers_take_nothing_from_each_other() -> None:
    everything = {"routes.web.hosts": [], "routes.orders.hosts": [], "routes.orders.paths": ["/*"]}
    assert message("prod", edited("prod", everything)) == ""
    assert settings_of("prod", everything).warnings == ()
