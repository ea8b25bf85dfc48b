"""What stands in the account: a certificate by its ARN. Refuses to judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import find

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

GONE = ("ResourceNotFoundException",)


def find_certificate(aws: Aws, arn: str) -> Props | None:
    """Return a certificate, or None when it is gone."""
    return find(aws, GONE, "acm", "describe_certificate", "Certificate", CertificateArn=arn)
