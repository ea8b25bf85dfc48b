"""The emulated certificate: of at most ten names, and kept while a listener uses it.

From ACM's quotas and the provider's source. Refuses to own its validation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.session import AwsError, pairs
from rehearsal.plugins.aws.acm.standing import GONE, find_certificate
from rehearsal.plugins.aws.calls import retag, tags_asked, tags_shown
from rehearsal.plugins.aws.elbv2.standing import every_load_balancer, listeners_of
from rehearsal.plugins.aws.table import (
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REPLACES,
    REQUIRED_REPLACES,
    Field,
    Type,
    block,
    defaults,
    one_of,
    set_of,
)

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_NAMES = 10  # by quota
_LONGEST_FIRST_NAME = 64  # of RFC 5280's common name; the words are the emulation's, since AWS documents none


def _create(aws: Aws, inputs: Props) -> str:
    names = [name for name in inputs.get("subjectAlternativeNames", ()) if name != inputs["domainName"]]
    if len(inputs["domainName"]) > _LONGEST_FIRST_NAME:
        words = f"The first domain name can be no longer than {_LONGEST_FIRST_NAME} characters."
        raise AwsError("acm", "RequestCertificate", "ValidationException", words)
    if len(names) >= _NAMES:
        raise AwsError("acm", "RequestCertificate", "LimitExceededException", "Certificate has too many domains.")
    return aws.ask(
        "acm",
        "request_certificate",
        DomainName=inputs["domainName"],
        ValidationMethod=inputs.get("validationMethod", "DNS"),
        **({"SubjectAlternativeNames": names} if names else {}),
        **tags_asked(inputs),
    )["CertificateArn"]


def _read(aws: Aws, arn: str, known: Props) -> Props | None:
    found = find_certificate(aws, arn)
    if found is None:
        return None
    tags = aws.ask("acm", "list_tags_for_certificate", CertificateArn=arn)
    # AWS counts the domain itself among the names; the provider takes a list with and without it as equal.
    names = sorted({found["DomainName"], *(found.get("SubjectAlternativeNames") or ())})
    given = known.get("subjectAlternativeNames")
    if given is not None and {found["DomainName"], *given} == set(names):
        names = given
    return {
        **known,
        "arn": arn,
        "status": found["Status"],
        "type": found["Type"],
        "keyAlgorithm": known.get("keyAlgorithm", "RSA_2048"),
        "validationMethod": known.get("validationMethod", "DNS"),
        "subjectAlternativeNames": names,
        "domainValidationOptions": [
            {
                "domainName": option["DomainName"],
                "resourceRecordName": option["ResourceRecord"]["Name"],
                "resourceRecordType": option["ResourceRecord"]["Type"],
                "resourceRecordValue": option["ResourceRecord"]["Value"],
            }
            for option in found["DomainValidationOptions"]
            if "ResourceRecord" in option
        ],
        **tags_shown(aws, tags, known),
    }


def _update(aws: Aws, arn: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    def take(keys: list[str]) -> None:
        tags = [{"Key": key} for key in keys]
        aws.ask("acm", "remove_tags_from_certificate", CertificateArn=arn, Tags=tags)

    def give(tags: dict[str, str]) -> None:
        aws.ask("acm", "add_tags_to_certificate", CertificateArn=arn, Tags=pairs(tags))

    retag(old, new, take, give)


def _users(aws: Aws, arn: str) -> list[str]:
    return [
        balancer["LoadBalancerArn"]
        for balancer in every_load_balancer(aws)
        for listener in listeners_of(aws, balancer["LoadBalancerArn"])
        if any(one["CertificateArn"] == arn for one in listener.get("Certificates") or ())
    ]


def _delete(aws: Aws, arn: str, state: Props) -> None:  # noqa: ARG001
    def act() -> None:
        if _users(aws, arn):
            raise AwsError(
                "acm", "DeleteCertificate", "ResourceInUseException", f"Certificate {arn} in account is in use."
            )
        aws.found(GONE, "acm", "delete_certificate", CertificateArn=arn)

    aws.patiently(act, ("ResourceInUseException",))


TYPE = Type(
    "aws:acm/certificate:Certificate",
    "ACM Certificate",
    {
        "domainName": REQUIRED_REPLACES,
        "keyAlgorithm": COMPUTED_REPLACES,
        "options": block({"certificateTransparencyLoggingPreference": defaults("ENABLED")}, computed=True),
        "subjectAlternativeNames": set_of(computed=True, replaces=REPLACES.replaces),
        "tags": GIVEN,
        "validationMethod": Field(computed=True, replaces=REPLACES.replaces, check=one_of("DNS", "EMAIL")),
        "arn": OUTPUT,
        "domainValidationOptions": OUTPUT,
        "status": OUTPUT,
        "type": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
