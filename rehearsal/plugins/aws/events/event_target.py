"""The emulated target of a rule of EventBridge. From the provider's documentation. Refuses to deliver anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.events.event_rule import GONE
from rehearsal.plugins.aws.table import REQUIRED, REQUIRED_REPLACES, Type

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _put(aws: Aws, inputs: Props) -> None:
    aws.ask("events", "put_targets", Rule=inputs["rule"], Targets=[{"Id": inputs["targetId"], "Arn": inputs["arn"]}])


def _create(aws: Aws, inputs: Props) -> str:
    _put(aws, inputs)
    return f"{inputs['rule']}-{inputs['targetId']}"


def _read(aws: Aws, made: str, known: Props) -> Props | None:  # noqa: ARG001
    told = aws.found(GONE, "events", "list_targets_by_rule", Rule=known["rule"])
    return known if told and any(one["Id"] == known["targetId"] for one in told["Targets"]) else None


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    _put(aws, new)


def _delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    aws.found(GONE, "events", "remove_targets", Rule=state["rule"], Ids=[state["targetId"]])


TYPE = Type(
    "aws:cloudwatch/eventTarget:EventTarget",
    "EventBridge Target",
    {"arn": REQUIRED, "rule": REQUIRED_REPLACES, "targetId": REQUIRED_REPLACES},
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
