"""What all types say alike to AWS, whatever their service: a thing that stands or is gone, tags, names, ARNs.

The words are those of the provider. Refuses to own any type, and what every caller of AWS needs: the form of its
errors, and patience (cloud/session.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.refused import Refused
from rehearsal.cloud.session import pairs, prefixed, unpaired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def find(aws: Aws, gone: tuple[str, ...], service: str, operation: str, result: str, **which: Any) -> Props | None:
    """Return what ``operation`` tells as ``result``, the first of a list, or None when AWS says that it is gone."""
    answer = aws.found(gone, service, operation, **which)
    told = answer[result] if answer else None
    if isinstance(told, list):
        return told[0] if told else None
    return told


def tags_asked(inputs: Props) -> dict[str, Any]:
    """Return the tags of something new as most services take them, which is not at all when there are none."""
    return {"Tags": pairs(inputs["tagsAll"])} if inputs["tagsAll"] else {}


def tags_shown(aws: Aws, told: Mapping[str, Any], known: Props) -> Props:
    """Return ``tags`` and ``tagsAll`` of what AWS told of a thing."""
    return aws.tags_found(unpaired(told.get("Tags", [])), known)


def retag(
    old: Props, new: Props, take: Callable[[list[str]], object], give: Callable[[dict[str, str]], object]
) -> None:
    """Have tags become those of ``new``: ``take`` those keys away that went, ``give`` all that are left."""
    if gone := [key for key in old.get("tagsAll", {}) if key not in new["tagsAll"]]:
        take(gone)
    if new["tagsAll"]:
        give(new["tagsAll"])


def named(inputs: Props, name: str = "name") -> str:
    """Return the name that is given, or one that begins with the prefix that is given in its place."""
    return inputs.get(name) or prefixed(inputs[f"{name}Prefix"])


def spelled(inputs: Props, names: Mapping[str, str]) -> dict[str, Any]:
    """Return those of ``names`` that are given, as AWS spells them."""
    return {key: inputs[name] for name, key in names.items() if name in inputs}


def arn_of(aws: Aws, service: str, kind: str, *parts: str, owner: str = "") -> str:
    """Return the ARN of a thing of this account, if no other is its ``owner``."""
    return f"arn:{aws.partition}:{service}:{aws.region}:{owner or aws.account}:{kind}/{'/'.join(parts)}"


def timestamp(moment: datetime) -> str:
    """Return a time as the provider shows it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def one_error(what: str) -> Refused:
    """Return the refusal that the provider makes of one error."""
    return Refused(f"1 error occurred:\n\t* {what}\n\n")
