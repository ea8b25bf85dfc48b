"""The emulated service of a namespace, under a name that no other there has, and kept while instances are in it.

From the provider's source; moto deletes it in use. Refuses to own instances.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import AwsError, pairs
from rehearsal.plugins.aws.servicediscovery.standing import find_service, namespace_of, services_of
from rehearsal.plugins.aws.servicediscovery.tags import retag, tags_found
from rehearsal.plugins.aws.table import (
    ALWAYS,
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REQUIRED,
    REQUIRED_REPLACES,
    Field,
    Type,
    block,
    defaults,
    list_of,
    one_of,
)

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _dns(config: Props) -> dict[str, Any]:
    records = [{"TTL": record["ttl"], "Type": record["type"]} for record in config["dnsRecords"]]
    return {"DnsRecords": records}


def _create(aws: Aws, inputs: Props) -> str:
    asked: dict[str, Any] = {}
    namespace: str = inputs.get("namespaceId", "")
    if dns := inputs.get("dnsConfig"):
        namespace = dns["namespaceId"]
        asked["DnsConfig"] = {**_dns(dns), "NamespaceId": namespace, "RoutingPolicy": dns["routingPolicy"]}
    # An empty block never reaches AWS, and differs from what is there ever after (terraform-provider-aws 44285).
    if inputs.get("healthCheckCustomConfig"):
        asked["HealthCheckCustomConfig"] = {"FailureThreshold": 1}
    with aws.judging:
        aws.ask("servicediscovery", "get_namespace", Id=namespace)
        if any(one["Name"] == inputs["name"] for one in services_of(aws, namespace)):
            raise AwsError(
                "servicediscovery",
                "CreateService",
                "ServiceAlreadyExists",
                f"Service with name {inputs['name']} already exists in namespace {namespace}.",
            )
        return aws.ask(
            "servicediscovery",
            "create_service",
            Name=inputs["name"],
            NamespaceId=namespace,
            Description=inputs.get("description", ""),
            CreatorRequestId=str(uuid.uuid4()),
            Tags=pairs(inputs["tagsAll"]),
            **asked,
        )["Service"]["Id"]


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    found = find_service(aws, made)
    if found is None:
        return None
    state = {
        **known,
        "arn": found["Arn"],
        "name": found["Name"],
        "namespaceId": known.get("namespaceId") or namespace_of(aws, made),
        "type": "DNS_HTTP" if found.get("DnsConfig") else "HTTP",
        **tags_found(aws, found["Arn"], known),
    }
    if dns := found.get("DnsConfig"):
        state["dnsConfig"] = {
            "namespaceId": state["namespaceId"],
            "routingPolicy": dns.get("RoutingPolicy", "MULTIVALUE"),
            "dnsRecords": [{"ttl": record["TTL"], "type": record["Type"]} for record in dns["DnsRecords"]],
        }
    return state


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if changed & {"description", "dnsConfig"}:
        asked: dict[str, Any] = {"Description": new.get("description", "")}
        if dns := new.get("dnsConfig"):
            asked["DnsConfig"] = _dns(dns)
        aws.ask("servicediscovery", "update_service", Id=made, Service=asked)
    retag(aws, old, new)


def _delete(aws: Aws, made: str, state: Props) -> None:
    if find_service(aws, made) is None:
        return
    instances = aws.ask("servicediscovery", "list_instances", ServiceId=made)["Instances"]
    if instances and not state.get("forceDestroy"):
        raise AwsError(
            "servicediscovery",
            "DeleteService",
            "ResourceInUse",
            "Service contains registered instances; delete the instances before deleting the service.",
        )
    for instance in instances:
        aws.ask("servicediscovery", "deregister_instance", ServiceId=made, InstanceId=instance["Id"])
    aws.ask("servicediscovery", "delete_service", Id=made)


TYPE = Type(
    "aws:servicediscovery/service:Service",
    "Service Discovery Service",
    {
        "description": GIVEN,
        "dnsConfig": block(
            {
                "dnsRecords": list_of({"ttl": REQUIRED, "type": REQUIRED_REPLACES}, required=True),
                "namespaceId": REQUIRED_REPLACES,
                "routingPolicy": Field(default="MULTIVALUE", replaces=ALWAYS, check=one_of("MULTIVALUE", "WEIGHTED")),
            }
        ),
        "forceDestroy": defaults(False),
        "healthCheckCustomConfig": block({"failureThreshold": GIVEN}, replaces=ALWAYS),
        "name": COMPUTED_REPLACES,
        "namespaceId": COMPUTED_REPLACES,
        "tags": GIVEN,
        "type": COMPUTED_REPLACES,
        "arn": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    named="name",
)
