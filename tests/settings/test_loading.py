"""The configuration as Pulumi hands it over, and the one secret in it."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from settings import Settings, SettingsError, load
from tests.conftest import PROJECT, record, stack_config
from tests.settings.editing import edited, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET = "a-secret-that-nobody-may-read"


def loaded(config: dict[str, Any], *, secret_keys: Sequence[str] = (), stack: str = "dev") -> Settings:
    """Load a configuration as the engine hands it over: single values as text, all others as JSON."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    found: list[Settings] = []

    def declare() -> None:
        pulumi.runtime.set_all_config(texts, list(secret_keys))
        found.append(load())

    record(declare, stack=stack)
    return found[0]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_stack_file_that_ships_is_loaded_as_it_is_written(stack: str) -> None:
    settings = loaded(stack_config(stack), stack=stack)
    assert settings == settings_of(stack)
    assert settings.stack == stack
    assert settings.aws.region == "ap-northeast-1"
    assert settings.own_clusters["v1-36"].version == "1.36"


def test_text_that_could_be_read_as_a_number_stays_text() -> None:
    assert loaded({**stack_config("dev"), "aws:profile": "123456789012"}).aws.profile == "123456789012"
    assert loaded({**stack_config("dev"), "aws:profile": "[team]"}).aws.profile == "[team]"


def test_a_version_without_quotes_is_refused_as_it_arrives() -> None:
    config = edited("dev", {"clusters.v1-36.version": 1.30})
    with pytest.raises(SettingsError, match=r"clusters\.v1-36\.version: 1\.3: a Kubernetes version is text"):
        loaded(config)


def test_a_misspelt_key_at_the_top_is_found_although_the_program_never_asks_for_it() -> None:
    with pytest.raises(SettingsError, match=r"eks-cutover:weigths: nothing reads this key"):
        loaded({**stack_config("dev"), "eks-cutover:weigths": {"v1-35": 100}})


def test_configuration_from_the_environment_counts_as_it_does_for_pulumi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"aws:region": "eu-central-1", "aws:profile": "team"}))
    settings = loaded(stack_config("dev"))
    assert (settings.aws.region, settings.aws.profile) == ("ap-northeast-1", "team")


def test_a_mistake_ends_the_run_without_a_traceback() -> None:
    """Pulumi shows the message alone, and nothing above it, for its own error and what derives from it."""
    with pytest.raises(pulumi.RunError) as caught:
        loaded({})
    assert str(caught.value).startswith("4 mistakes in Pulumi.dev.yaml; nothing has been changed.")


def test_a_preview_secret_in_plain_text_is_refused_with_the_command_that_hides_it() -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(edited("prod", {"preview.secret": SECRET}), stack="prod")
    assert str(caught.value).splitlines() == [
        "1 mistake in Pulumi.prod.yaml; nothing has been changed.",
        "  eks-cutover:preview.secret: it stands in the stack file in plain text. Whoever reads the file could pass the"
        " preview rules. Write it with `pulumi config set --secret --path 'eks-cutover:preview.secret'`. [CUT171]",
    ]


def test_a_preview_secret_is_taken_when_pulumi_hands_it_over_as_a_secret() -> None:
    config = edited("prod", {"preview.secret": SECRET})
    settings = loaded(config, secret_keys=[f"{PROJECT}:preview"], stack="prod")
    assert settings.preview.secret
    assert settings.preview.secret.get_secret_value() == SECRET


def test_a_secret_elsewhere_does_not_excuse_the_preview_secret() -> None:
    config = edited("prod", {"preview.secret": SECRET, "aws:profile": "hidden"})
    with pytest.raises(SettingsError, match=r"preview\.secret: it stands in the stack file in plain text"):
        loaded(config, secret_keys=["aws:profile"], stack="prod")


def test_a_preview_secret_is_not_shown_by_the_settings() -> None:
    settings = settings_of("prod", {"preview.secret": SECRET})
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert SECRET not in shown


@pytest.mark.parametrize(
    "preview",
    [
        {"secret": f"{SECRET} "},
        {"secret": [SECRET]},
        {"secret": {"value": SECRET}},
        {"secrett": SECRET},
        {"secret": SECRET, "header": "Host"},
        {"secret": SECRET, "sourceCidrs": ["0.0.0.0/0"] * 2},
        SECRET,
        [SECRET],
    ],
)
def test_a_preview_secret_is_not_shown_by_any_message(preview: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(edited("prod", {"preview": preview}), secret_keys=[f"{PROJECT}:preview"], stack="prod")
    assert "preview" in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_settings_cannot_be_changed() -> None:
    settings = settings_of("dev")
    with pytest.raises(ValueError, match="frozen"):
        settings.stack = "prod"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="frozen"):
        settings.routes["web"].live = False  # pyright: ignore[reportAttributeAccessIssue]


def test_what_is_left_out_is_not_shared_between_stacks_or_clusters() -> None:
    one, other = settings_of("prod"), settings_of("prod")
    old, new = one.own_clusters["v1-35"].access_entries, one.own_clusters["v1-36"].access_entries
    assert old == new == other.own_clusters["v1-35"].access_entries == {}
    assert len({id(old), id(new), id(other.own_clusters["v1-35"].access_entries)}) == 3
