"""The emulated private DNS namespace: with a hosted zone, and kept while services are in it.

From the provider's source; moto deletes it in use, and leaves the zone. Refuses to resolve names.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from rehearsal.cloud.session import AwsError, pairs
from rehearsal.plugins.aws.servicediscovery.standing import find_namespace, services_of
from rehearsal.plugins.aws.servicediscovery.tags import retag, tags_found
from rehearsal.plugins.aws.table import COMPUTED_REPLACES, GIVEN, OUTPUT, REQUIRED_REPLACES, Type

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _create(aws: Aws, inputs: Props) -> str:
    operation = aws.ask(
        "servicediscovery",
        "create_private_dns_namespace",
        Name=inputs["name"],
        Vpc=inputs["vpc"],
        Description=inputs.get("description", ""),
        CreatorRequestId=str(uuid.uuid4()),
        Tags=pairs(inputs["tagsAll"]),
    )["OperationId"]
    answer = aws.ask("servicediscovery", "get_operation", OperationId=operation)
    return answer["Operation"]["Targets"]["NAMESPACE"]


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    found = find_namespace(aws, made)
    if found is None:
        return None
    return {
        **known,
        "arn": found["Arn"],
        "name": found["Name"],
        "hostedZone": found["Properties"]["DnsProperties"]["HostedZoneId"].rsplit("/", 1)[-1],
        **tags_found(aws, found["Arn"], known),
    }


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "description" in changed:
        aws.ask(
            "servicediscovery",
            "update_private_dns_namespace",
            Id=made,
            Namespace={"Description": new.get("description", "")},
        )
    retag(aws, old, new)


def _delete(aws: Aws, made: str, state: Props) -> None:
    if find_namespace(aws, made) is None:
        return
    if services_of(aws, made):
        raise AwsError(
            "servicediscovery",
            "DeleteNamespace",
            "ResourceInUse",
            "Namespace contains registered services; delete the services before deleting the namespace.",
        )
    aws.ask("servicediscovery", "delete_namespace", Id=made)
    aws.found(("NoSuchHostedZone",), "route53", "delete_hosted_zone", Id=state["hostedZone"])  # moto leaves it


TYPE = Type(
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace",
    "Service Discovery Private DNS Namespace",
    {
        "description": GIVEN,
        "name": COMPUTED_REPLACES,
        "tags": GIVEN,
        "vpc": REQUIRED_REPLACES,
        "arn": OUTPUT,
        "hostedZone": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
)
