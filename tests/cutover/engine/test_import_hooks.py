"""A state that a file backend is just writing is read again, and one that cannot be read ends the run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from cutover.engine import import_hooks
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web-v1-35/0123456789abcdef"
OTHER = GROUP.replace("0123456789abcdef", "fedcba9876543210")
URN = "urn:pulumi:dev::eks-cutover::aws:lb/targetGroup:TargetGroup::web-v1-35"
WRITING = "failed to load checkpoint: EOF"


class _Backend:
    def __init__(self, *failures: str) -> None:
        self._failures = list(failures)

    def invoke(self, token: str, args: Mapping[str, Any]) -> Any:
        assert (token, set(args)) == ("pulumi:pulumi:readStackResourceOutputs", {"stackName"})
        if self._failures:
            raise RuntimeError(f"invocation of {token} returned an error: {self._failures.pop(0)}")
        return SimpleNamespace(value={"outputs": {URN: {"outputs": {"arn": OTHER}}}})


def _unheard(*_: Any, **__: Any) -> None:
    """Stand for a hook, of which no engine hears here."""


def _check(monkeypatch: pytest.MonkeyPatch, *failures: str) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(pulumi.runtime, "invoke", _Backend(*failures).invoke)
    monkeypatch.setattr(import_hooks, "ResourceHook", _unheard)
    monkeypatch.setattr(import_hooks, "ResourceHookBinding", _unheard)
    taken = {"import": {"formerOwner": "terraform", "ids": {"web-v1-35": GROUP}}}
    import_hooks.Imports(settings_of("dev", taken)).check()


def test_the_state_is_read_again_while_the_engine_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match=r"the stack has arn:.*fedcba"):
        _check(monkeypatch, WRITING, WRITING)


@pytest.mark.parametrize("failures", [[WRITING] * 99, ["no credentials"]])
def test_a_state_that_cannot_be_read_ends_the_run(monkeypatch: pytest.MonkeyPatch, failures: list[str]) -> None:
    with pytest.raises(Exception, match=failures[0]):
        _check(monkeypatch, *failures)
