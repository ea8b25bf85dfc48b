"""The emulated log group. From the provider's documentation. Refuses to own what is logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.plugins.aws.calls import arn_of, named, retag
from rehearsal.plugins.aws.table import COMPUTED_REPLACES, GIVEN, OUTPUT, Field, Type, defaults

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_GONE = ("ResourceNotFoundException",)
_KEPT_FOR_GOOD = 0
_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


def _allowed(days: Any) -> str | None:
    return None if days in {_KEPT_FOR_GOOD, *_DAYS} else f"expected retention_in_days to be one of {_DAYS}, got {days}"


def _keep(aws: Aws, name: str, days: int) -> None:
    if days == _KEPT_FOR_GOOD:
        aws.ask("logs", "delete_retention_policy", logGroupName=name)
    else:
        aws.ask("logs", "put_retention_policy", logGroupName=name, retentionInDays=days)


def _create(aws: Aws, inputs: Props) -> str:
    name = named(inputs)
    tags = {"tags": inputs["tagsAll"]} if inputs["tagsAll"] else {}
    aws.ask("logs", "create_log_group", logGroupName=name, **tags)
    if inputs["retentionInDays"] != _KEPT_FOR_GOOD:
        _keep(aws, name, inputs["retentionInDays"])
    return name


def _found(aws: Aws, name: str) -> dict[str, Any] | None:
    groups = aws.ask("logs", "describe_log_groups", logGroupNamePrefix=name)["logGroups"]
    return next((one for one in groups if one["logGroupName"] == name), None)


def _read(aws: Aws, name: str, known: Props) -> Props | None:
    group = _found(aws, name)
    if group is None:
        return None
    arn = arn_of(aws, "logs", "log-group").replace("log-group/", f"log-group:{name}")
    tags = aws.ask("logs", "list_tags_for_resource", resourceArn=arn)["tags"]
    return {
        **known,
        "name": name,
        "namePrefix": known.get("namePrefix", ""),
        "arn": arn,
        "retentionInDays": group.get("retentionInDays", _KEPT_FOR_GOOD),
        "logGroupClass": "STANDARD",
        **aws.tags_found(tags, known),
    }


def _update(aws: Aws, name: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "retentionInDays" in changed:
        _keep(aws, name, new["retentionInDays"])
    retag(
        old,
        new,
        take=lambda keys: aws.ask("logs", "untag_resource", resourceArn=old["arn"], tagKeys=keys),
        give=lambda tags: aws.ask("logs", "tag_resource", resourceArn=old["arn"], tags=tags),
    )


def _delete(aws: Aws, name: str, state: Props) -> None:
    if not state.get("skipDestroy"):
        aws.found(_GONE, "logs", "delete_log_group", logGroupName=name)


TYPE = Type(
    "aws:cloudwatch/logGroup:LogGroup",
    "CloudWatch Logs Log Group",
    {
        "logGroupClass": COMPUTED_REPLACES,
        "name": COMPUTED_REPLACES,
        "namePrefix": COMPUTED_REPLACES,
        "retentionInDays": Field(default=_KEPT_FOR_GOOD, check=_allowed),
        "skipDestroy": defaults(False),
        "tags": GIVEN,
        "arn": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
    longest=512,
)
