"""The emulated validation: a wait until the certificate's records stand in Route 53, and it is issued.

From the provider's source. Refuses to own the records.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.acm.standing import find_certificate
from rehearsal.plugins.aws.calls import one_error
from rehearsal.plugins.aws.route53.standing import every_zone, records_of
from rehearsal.plugins.aws.table import REPLACES, REQUIRED_REPLACES, Type, set_of

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_ISSUED_WITHIN_SECONDS = 15.0


def _records(aws: Aws) -> set[str]:
    return {
        record["Name"].rstrip(".")
        for one in aws.everywhere()
        for zone in every_zone(one)
        for record in records_of(one, zone["Id"])
    }


def _create(aws: Aws, inputs: Props) -> str:
    arn = inputs["certificateArn"]
    found = find_certificate(aws, arn)
    if found is None:
        raise AwsError("acm", "DescribeCertificate", "ResourceNotFoundException", f"Could not find certificate {arn}.")
    wanted = {option["ResourceRecord"]["Name"].rstrip(".") for option in found["DomainValidationOptions"]}
    told = {name.rstrip(".") for name in inputs.get("validationRecordFqdns", wanted)}
    if missing := wanted - told:
        raise one_error(
            f"waiting for ACM Certificate ({arn}) to be issued: "
            + "; ".join(f"missing {name} DNS validation record" for name in sorted(missing))
        )
    if wanted - _records(aws):
        raise one_error(
            f"waiting for ACM Certificate ({arn}) to be issued: timeout while waiting for state to become 'ISSUED' "
            "(last state: 'PENDING_VALIDATION', timeout: 1h15m0s)"
        )
    end = time.monotonic() + _ISSUED_WITHIN_SECONDS
    while found["Status"] != "ISSUED" and time.monotonic() < end:
        time.sleep(0.2)
        found = aws.ask("acm", "describe_certificate", CertificateArn=arn)["Certificate"]
    return found["CreatedAt"].strftime("%Y-%m-%d %H:%M:%S.000 +0000 UTC")


def _read(aws: Aws, made: str, known: Props) -> Props | None:  # noqa: ARG001
    return known if find_certificate(aws, known["certificateArn"]) else None


def _delete(aws: Aws, made: str, state: Props) -> None:
    """Do nothing, as the provider: it was only a wait."""


TYPE = Type(
    "aws:acm/certificateValidation:CertificateValidation",
    "ACM Certificate Validation",
    {
        "certificateArn": REQUIRED_REPLACES,
        "validationRecordFqdns": set_of(replaces=REPLACES.replaces),
    },
    create=_create,
    read=_read,
    delete=_delete,
)
