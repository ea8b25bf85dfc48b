"""What all keys are made of: frozen models, kinds of values that several areas share, and how a value is refused.

Refuses to own any key (the areas beside it) and rules over several keys (rules/).
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar
from zlib import crc32

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, JsonValue
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


_LONGEST_KEY = 21  # beside a route's one letter, where ELB gives a target group 32 and auto-naming takes 8 of them
_SLOTS = 40

KEY_FORM = re.compile(r"v(?P<major>1)-(?P<minor>[0-9]{2})(?:-(?P<again>[b-d]))?")

DNS_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

DNS_NAME = rf"{DNS_LABEL}(?:\.{DNS_LABEL})+"

# EKS takes the range of Services from one of these.
PRIVATE = tuple(ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))

# This host, loopback, link-local, multicast and what is reserved: EC2 makes no VPC of them.
NOWHERE = tuple(
    ipaddress.IPv4Network(block)
    for block in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
)


def refused(code: str, says: str) -> PydanticCustomError:
    """Return the refusal of a value: its code, by which people search, and what is wrong, what would follow, a cure."""
    return PydanticCustomError("rule", "{text}", {"text": says, "code": code})


def rule(code: str, holds: Callable[[Any], bool], says: str) -> BeforeValidator:
    """Check a value before its type is looked at, so that a wrong type and a wrong value get the same answer."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise refused(code, says)
        return value

    return BeforeValidator(check)


def text(pattern: str | re.Pattern[str]) -> Callable[[Any], bool]:
    """Hold for text that the whole pattern matches."""
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def whole(least: int, most: int) -> Callable[[Any], bool]:
    """Hold for whole numbers from ``least`` to ``most``; true and false are none."""
    return lambda value: type(value) is int and least <= value <= most


def cidr(value: Any, shortest: int = 0, longest: int = 32) -> bool:
    """Tell whether ``value`` is an IPv4 range as AWS writes it, whose prefix length lies between two lengths."""
    try:
        network = ipaddress.IPv4Network(value)
    except (ValueError, TypeError):
        return False
    return str(network) == value and shortest <= network.prefixlen <= longest


def cidr6(value: Any) -> bool:
    """Tell whether ``value`` is an IPv6 range as AWS writes it."""
    try:
        return str(ipaddress.IPv6Network(value)) == value
    except (ValueError, TypeError):
        return False


def within(value: str, blocks: Iterable[ipaddress.IPv4Network]) -> bool:
    """Tell whether an IPv4 range lies in one of some blocks."""
    return any(map(ipaddress.IPv4Network(value).subnet_of, blocks))


def codes(value: Any) -> bool:
    """Hold for codes and ranges of codes, as ELB takes them for a health check."""
    ranges = [part.split("-") for part in value.split(",")] if isinstance(value, str) else [[""]]
    return all(
        len(ends) <= 2 and all(map(text(r"[0-9]{1,3}"), ends)) and int(ends[0]) <= int(ends[-1])  # noqa: PLR2004
        for ends in ranges
    )


def distinct(values: Sequence[Any]) -> Sequence[Any]:
    """Check that nothing stands in a list twice."""
    for place, value in enumerate(values):
        if value in values[:place]:
            says = f"{value} stands there twice. The second would be refused, or mean nothing. Leave one out"
            raise refused("CUT106", says)
    return values


def seconds(code: str, least: int, most: int, what: str, example: str) -> BeforeValidator:
    """Take whole seconds in ELB's bounds for ``what``."""
    return rule(code, whole(least, most), f"{what} is {least} to {most} seconds. ELB would refuse it. Write {example}")


def version_of(key: str) -> tuple[int, int, int]:
    """Return (major, minor, repetition) of a cluster's key: v1-36 is (1, 36, 0), v1-36-b is (1, 36, 1).

    :raises ValueError: it is no key of a cluster
    """
    match = KEY_FORM.fullmatch(key)
    if match is None:
        raise ValueError(key)
    return int(match["major"]), int(match["minor"]), "abcd".index(match["again"] or "a")


def order_of(key: str) -> tuple[int, int, int, str]:
    """Return what clusters are put in order by: those whose keys tell no version, by name, before those that do."""
    return (*version_of(key), "") if KEY_FORM.fullmatch(key) else (0, 0, 0, key)


def newest(keys: Iterable[str]) -> str | None:
    """Return the newest of some clusters by their keys; None where there is none, or two whose keys tell no version."""
    found = sorted(keys, key=order_of)
    untold = [key for key in found if not KEY_FORM.fullmatch(key)]
    return found[-1] if found and len(untold) <= 1 else None


def slot(key: str) -> int:
    """Return which of a route's 40 places for preview rules is a cluster's, 0 to 39: it depends on its key alone.

    Ten minor versions have four clusters each. A key that tells no version has a place by chance, which another's may
    be: settings/rules/clusters.py refuses that.
    """
    if not KEY_FORM.fullmatch(key):
        return crc32(key.encode()) % _SLOTS
    _, minor, again = version_of(key)
    return (minor % 10) * 4 + again


T = TypeVar("T")

Several = Annotated[tuple[T, ...], AfterValidator(distinct)]

ClusterKey = Annotated[
    str,
    rule(
        "CUT183",
        text(rf"(?=.{{1,{_LONGEST_KEY}}}$)(?!.*--)[a-z]([a-z0-9-]*[a-z0-9])?"),
        f"a cluster's key is at most {_LONGEST_KEY} lower-case letters, digits and single hyphens, and begins with a "
        "letter. Target groups are named after it, and ELB would refuse them. Write e.g. v1-36 for a cluster that the "
        "stack makes, or blue for one that exists",
    ),
]

Weight = Annotated[
    int,
    rule(
        "CUT111",
        whole(0, 999),
        "a weight is a whole number from 0 to 999. ELB would refuse the rule, and the shift would stop at this route. "
        "Write a share such as 10, without quotes",
    ),
]

Cidr = Annotated[
    str,
    rule(
        "CUT113",
        cidr,
        "this is no IPv4 range, and nothing here has an address of another kind. AWS would refuse it halfway through "
        "the update. Write its first address and its length, such as 10.20.0.0/16",
    ),
]

Port = Annotated[
    int,
    rule(
        "CUT117",
        whole(1, 65535),
        "a port is a whole number from 1 to 65535. No target could be registered. Write e.g. 80, without quotes",
    ),
]

DnsLabel = Annotated[
    str,
    rule(
        "CUT120",
        text(DNS_LABEL),
        "this is no Kubernetes name: lower-case letters, digits and hyphens, at most 63. The API server would refuse "
        "it once the cluster is up. Write the name as kubectl shows it",
    ),
]

DomainName = Annotated[
    str,
    rule(
        "CUT130",
        text(rf"(?=.{{1,253}}$){DNS_NAME}"),
        "this is no DNS name. Route 53 has no zone of such a name. Write e.g. example.com, in lower case, "
        "without a dot at the end",
    ),
]

Name = Annotated[
    str,
    rule(
        "CUT133",
        text(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"),
        "a name here is at most 63 lower-case letters, digits and hyphens, and begins with a letter. AWS and "
        "Kubernetes would refuse another. Write e.g. web",
    ),
]


def edited(words: str) -> dict[str, JsonValue]:
    """Return, for the reference, what an edit of a key does that is not applied in place."""
    return {"edited": words}


class Model(BaseModel):
    """What all parts of the configuration share: frozen, camelCase in YAML, no key that nobody reads."""

    OTHERS: ClassVar[type[Model] | None] = None
    """What stands under keys that the user chooses, beside those that the model names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)
