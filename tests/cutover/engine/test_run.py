"""What a run says of its failure: the engine's own words, once, and no advice that may end a run that lives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pulumi.automation import CommandResult
from pulumi.automation.errors import CommandError

from cutover.engine.run import watch
from cutover.rules.judgement import Kind, kind, moved
from settings.imports import LISTENER_RULE

if TYPE_CHECKING:
    from collections.abc import Callable

_LOCK = "file:///state/dev/1.json: created by ann@laptop (pid 4711) at 2026-11-24T03:00:12Z"


def _failing(said: str, *messages: str) -> Callable[..., Any]:
    """Return an operation that sends messages of errors, and then ends with what the CLI has said."""

    def operation(*, on_event: Callable[[Any], None]) -> None:
        for message in messages:
            event = SimpleNamespace(severity="error", message=message)
            on_event(SimpleNamespace(resource_pre_event=None, diagnostic_event=event))
        raise CommandError(CommandResult("Updating (dev):", said, 255))

    return operation


def test_what_the_cli_says_stands_without_the_frame_of_the_sdk_and_without_advice_to_end_a_run_that_lives() -> None:
    advice = "Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`."
    run = watch(_failing(f"error: the stack is currently locked by 1 lock(s). {advice}\n  {_LOCK}"))
    assert run.failure == f"the stack is currently locked by 1 lock(s).\n  {_LOCK}"


def test_one_cause_is_said_once_however_many_resources_have_it() -> None:
    cause = "looks like the repository cannot be reached\n"
    gate = (
        "the gate refuses:\n  web: too few\n  api: too few\n",
        "the gate refuses:\n  api: too few\n  web: too few\n",
    )
    run = watch(_failing("error: preview failed", cause, cause, *gate, cause))
    assert run.failure == cause + gate[0]


SEALED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}


def _shifting(before: Any) -> Callable[..., Any]:
    """Return an operation that updates a weighted rule whose actions the state has as ``before``, or as they become."""
    login = {"type": "authenticate-oidc", "authenticateOidc": {"clientSecret": SEALED}}
    after = [login, {"type": "forward", "forward": {"targetGroups": [{"arn": "group", "weight": 10}]}}]
    old, new = (SimpleNamespace(inputs={"actions": one}, protect=True) for one in (before or after, after))
    metadata = SimpleNamespace(
        old=old,
        new=new,
        urn=f"urn:pulumi:dev::eks-cutover::eks-cutover:route:Route${LISTENER_RULE}::web-weighted",
        op=SimpleNamespace(value="update"),
        detailed_diff={"actions[1].forward.targetGroups[0].weight": {}},
        keys=None,
    )
    event = SimpleNamespace(resource_pre_event=SimpleNamespace(metadata=metadata), diagnostic_event=None)
    return lambda on_event: on_event(event)


def test_weights_are_told_behind_a_login_whose_secret_the_engine_hides() -> None:
    run = watch(_shifting(None))
    assert (run.failure, run.sealed) == ("", frozenset())
    assert run.forwards == {"web-weighted": ((("group", 10),), (("group", 10),))}
    assert moved(run) == []


def test_a_move_is_one_also_where_the_engine_hides_what_the_weights_were() -> None:
    """After a refresh the engine takes all actions for a secret."""
    run = watch(_shifting(SEALED))
    assert (run.failure, run.sealed) == ("", {"web-weighted"})
    assert run.forwards == {"web-weighted": ((), (("group", 10),))}
    assert (moved(run), kind(run)) == (["web"], Kind.SHIFT)


def test_an_event_that_cannot_be_read_makes_a_plan_a_failure_and_no_smaller_plan() -> None:
    def operation(*, on_event: Callable[[Any], None]) -> None:
        strange = SimpleNamespace(old=None, new=None, urn="no urn", op=SimpleNamespace(value="delete"))
        on_event(SimpleNamespace(resource_pre_event=SimpleNamespace(metadata=strange), diagnostic_event=None))

    run = watch(operation)
    assert run.failure.startswith("pulumi operation: what came in answer cannot be read (IndexError")
