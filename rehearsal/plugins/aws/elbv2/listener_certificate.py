"""The emulated further certificate of a listener. Refuses to own the one that the listener was made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.session import Aws
from rehearsal.plugins.aws.elbv2.certificates import judge_certificate
from rehearsal.plugins.aws.table import REQUIRED_REPLACES, Type

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props


def _create(aws: Aws, inputs: Props) -> str:
    listener, certificate = inputs["listenerArn"], inputs["certificateArn"]
    judge_certificate(aws, "AddListenerCertificates", certificate)
    aws.ask("elbv2", "add_listener_certificates", ListenerArn=listener, Certificates=[{"CertificateArn": certificate}])
    return f"{listener}_{certificate}"


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    listener, certificate = made.split("_", 1)
    gone = ("ListenerNotFound", "LoadBalancerNotFound")
    answer = aws.found(gone, "elbv2", "describe_listener_certificates", ListenerArn=listener)
    found = answer and any(one["CertificateArn"] == certificate for one in answer["Certificates"])
    return known if found else None


def _delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    listener, certificate = made.split("_", 1)
    gone = ("ListenerNotFound", "LoadBalancerNotFound", "CertificateNotFound", "OperationNotPermitted")
    one = [{"CertificateArn": certificate}]
    aws.found(gone, "elbv2", "remove_listener_certificates", ListenerArn=listener, Certificates=one)


TYPE = Type(
    "aws:lb/listenerCertificate:ListenerCertificate",
    "ELBv2 Listener Certificate",
    {"certificateArn": REQUIRED_REPLACES, "listenerArn": REQUIRED_REPLACES},
    create=_create,
    read=_read,
    delete=_delete,
)
