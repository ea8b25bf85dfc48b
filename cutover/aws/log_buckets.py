"""The buckets that load balancers of a stack are to write logs into: where they lie, and their policies.

Refuses to judge (cutover/rules/log_buckets.py). What may not be read is left out.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cutover.calls import client
from cutover.rules.log_buckets import LogBucket

if TYPE_CHECKING:
    import boto3

    from settings import Settings

_OTHERWISE = {None: "us-east-1", "EU": "eu-west-1"}  # what S3 tells of two regions in place of their names
_GONE, _BARE = "NoSuchBucket", "NoSuchBucketPolicy"


def read(settings: Settings, account: boto3.Session) -> dict[str, LogBucket | None]:
    """Return the buckets by name, None for one that does not exist."""
    found: dict[str, LogBucket | None] = {}
    names = sorted({name for _, _, name in settings.log_buckets})
    s3: Any = client(account, "s3") if names else None
    for name in names:
        with suppress(ClientError):
            found[name] = _bucket(s3, name)
    return found


def _bucket(s3: Any, name: str) -> LogBucket | None:
    try:
        told: str | None = s3.get_bucket_location(Bucket=name)["LocationConstraint"]
    except ClientError as error:
        if error.response["Error"]["Code"] != _GONE:
            raise
        return None
    region = _OTHERWISE.get(told) or str(told)
    try:
        return LogBucket(region, s3.get_bucket_policy(Bucket=name)["Policy"])
    except ClientError as error:
        return LogBucket(region, None if error.response["Error"]["Code"] == _BARE else "")
