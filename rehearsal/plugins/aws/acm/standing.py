"""What stands in the account: a certificate by its ARN. Refuses to judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.cloud.session import Aws

GONE = ("ResourceNotFoundException",)


def find_certificate(aws: Aws, arn: str) -> dict[str, Any] | None:
    """Return a certificate, or None when it is gone."""
    answer = aws.found(GONE, "acm", "describe_certificate", CertificateArn=arn)
    return answer["Certificate"] if answer else None
