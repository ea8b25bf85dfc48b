"""Whether ELB takes a certificate for a listener. Refuses to own certificates (acm/)."""

from __future__ import annotations

from rehearsal.cloud.session import Aws, AwsError
from rehearsal.plugins.aws.acm.standing import find_certificate


def judge_certificate(aws: Aws, operation: str, arn: str) -> None:
    """Refuse a certificate that is missing or not issued.

    :raises AwsError: it is
    """
    certificate = find_certificate(aws, arn)
    if certificate is None:
        raise AwsError("elbv2", operation, "CertificateNotFound", f"Certificate '{arn}' not found")
    if certificate["Status"] != "ISSUED":
        raise AwsError(
            "elbv2",
            operation,
            "UnsupportedCertificate",
            f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a supported "
            "key size.",
        )
