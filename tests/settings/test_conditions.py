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


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"routes.web.hosts": ["App.Example.com"]}, ()),
        ({"routes.web.hosts": ["a*.example.com"]}, ()),
        ({"loadBalancers.public.names": ["*.example.com"], "routes.web.hosts": ["shop.example.com"]}, ()),
        (
            {"routes.web.hosts": ["app.example.com", "shop.example.com"]},
            ("the host shop.example.com, which loadBalancers.public.names has not.", "the certificate made for them"),
        ),
        (
            {
                "routes.web.hosts": ["shop.example.com"],
                "loadBalancers.public.certificateArn": "arn:aws:acm:ap-northeast-1:123456789012:certificate/a",
            },
            ("No record that is made here leads to it. Add it to the names, unless",),
        ),
    ],
)
def test_a_host_that_no_name_of_its_load_balancer_brings_is_told(
    changes: dict[str, Any], told: tuple[str, ...]
) -> None:
    assert message("dev", edited("dev", changes)) == ""
    warnings = [one for one in settings_of("dev", changes).warnings if one.startswith("The route web has")]
    assert len(warnings) == bool(told)
    assert all(words in warnings[0] for words in told)
