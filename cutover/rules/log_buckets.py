"""Whether load balancers could write their logs where the stack file says. Pure.

The rules are those of ELB's user guide (access logs: a bucket of the region, whose policy lets log delivery write).
Refuses to own the reads (cutover/aws/log_buckets.py), and the encryption of a bucket.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from cutover.rules.policies import allowing, principals, several
from settings.rules.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings import Settings

_DELIVERY = "logdelivery.elasticloadbalancing.amazonaws.com"
_WRITE = "s3:PutObject"


@dataclass(frozen=True)
class LogBucket:
    """A bucket: its region, and its policy; None where it has none, empty where it may not be read."""

    region: str
    policy: str | None


def mistakes(settings: Settings, buckets: Mapping[str, LogBucket | None]) -> Iterator[Mistake]:
    """Yield logs that ELB would refuse to write; None is a bucket that does not exist."""
    for key, where, name in settings.log_buckets:
        at = f"loadBalancers.{key}.{where}.bucket"
        bucket = buckets.get(name)
        if name in buckets and bucket is None:
            yield Mistake(
                "CUT316",
                at,
                f"there is no bucket {name}, or it is not yours to read. ELB would refuse the logs, and the update "
                "would stop behind the load balancer. Make it, or correct the name",
            )
        elif bucket and bucket.region != settings.aws.region:
            yield Mistake(
                "CUT317",
                at,
                f"{name} lies in {bucket.region}, and ELB writes logs into a bucket of its own region, "
                f"{settings.aws.region}. It would refuse them, and the update would stop behind the load balancer. "
                "Take a bucket of that region",
            )
        elif bucket and not _lets_write(bucket.policy):
            yield Mistake(
                "CUT318",
                at,
                f"the policy of {name} lets no log delivery of ELB write. ELB would refuse the logs, and the update "
                f"would stop behind the load balancer. Allow {_WRITE} to the service {_DELIVERY}",
            )


def _lets_write(policy: str | None) -> bool:
    if policy == "":
        return True
    return any(map(_lets, allowing(json.loads(policy)))) if policy else False


def _lets(statement: Mapping[str, Any]) -> bool:
    """Tell whether a statement lets the service write, or an account, as ELB's own were that of older regions."""
    who = principals(statement, "Service", "AWS")
    known = any(one in {_DELIVERY, "*"} or one.isdigit() or one.endswith(":root") for one in who)
    return known and any(fnmatchcase(_WRITE, action) for action in several(statement.get("Action", [])))
