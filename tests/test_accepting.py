"""What the settings let through, AWS accepts: a few stack files here, thousands in benchmarks/stackfiles.py."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from benchmarks.stackfiles import is_let_through
from tests.accepting import Cloud, emulated
from tests.conftest import stack_config
from tests.every_key import every_key
from tests.settings.editing import edited
from tests.stackfiles import STACK, stack_files

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cloud]:
    """Return the emulated AWS of this process."""
    logging.disable()
    with emulated(tmp_path_factory.mktemp("cloud")) as aws:
        yield aws
    logging.disable(logging.NOTSET)


def test_a_stack_file_that_ships_is_accepted(cloud: Cloud) -> None:
    assert cloud.refusals(stack_config("prod"), "prod") == []


def test_every_key_is_accepted(cloud: Cloud) -> None:
    assert cloud.refusals(every_key(), "prod") == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"network.cidr": "169.254.0.0/16"}, "InvalidVpc.Range"),
        ({"routes.web.hosts": [f"{letter}.com" for letter in "abcdef"]}, "A rule can only have '5' condition values"),
    ],
)
def test_what_aws_refuses_is_found(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr("settings.reading.mistakes", lambda _: [])  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr("settings.network.NOWHERE", ())
    assert says in str(cloud.refusals(edited("dev", changes), "dev"))


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(config=stack_files())
def test_what_the_settings_let_through_aws_accepts(cloud: Cloud, config: dict[str, Any]) -> None:
    assume(is_let_through(config))
    assert cloud.refusals(config, STACK) == []
