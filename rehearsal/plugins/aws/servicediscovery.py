"""The emulated Cloud Map types. State lies in moto; what moto deletes while it is in use is refused here."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import AwsError, pairs, unpaired
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


def _tags(aws: Aws, arn: str, known: Props) -> Props:
    return aws.tags_found(
        unpaired(aws.ask("servicediscovery", "list_tags_for_resource", ResourceARN=arn)["Tags"]), known
    )


def _retag(aws: Aws, old: Props, new: Props) -> None:
    if gone := [key for key in old.get("tagsAll", {}) if key not in new["tagsAll"]]:
        aws.ask("servicediscovery", "untag_resource", ResourceARN=old["arn"], TagKeys=gone)
    if new["tagsAll"]:
        aws.ask("servicediscovery", "tag_resource", ResourceARN=old["arn"], Tags=pairs(new["tagsAll"]))


def _create_namespace(aws: Aws, inputs: Props) -> str:
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


def _read_namespace(aws: Aws, made: str, known: Props) -> Props | None:
    answer = aws.found(("NamespaceNotFound",), "servicediscovery", "get_namespace", Id=made)
    if answer is None:
        return None
    found = answer["Namespace"]
    return {
        **known,
        "arn": found["Arn"],
        "name": found["Name"],
        "hostedZone": found["Properties"]["DnsProperties"]["HostedZoneId"].rsplit("/", 1)[-1],
        **_tags(aws, found["Arn"], known),
    }


def _update_namespace(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "description" in changed:
        aws.ask(
            "servicediscovery",
            "update_private_dns_namespace",
            Id=made,
            Namespace={"Description": new.get("description", "")},
        )
    _retag(aws, old, new)


def _services(aws: Aws, namespace: str) -> list[dict[str, Any]]:
    every = aws.pages("servicediscovery", "list_services", "Services")
    return [one for one in every if _namespace(aws, one["Id"]) == namespace]


def _namespace(aws: Aws, service: str) -> str:
    found = aws.ask("servicediscovery", "get_service", Id=service)["Service"]
    return found.get("NamespaceId") or found.get("DnsConfig", {}).get("NamespaceId", "")


def _delete_namespace(aws: Aws, made: str, state: Props) -> None:
    if aws.found(("NamespaceNotFound",), "servicediscovery", "get_namespace", Id=made) is None:
        return
    if _services(aws, made):
        raise AwsError(
            "servicediscovery",
            "DeleteNamespace",
            "ResourceInUse",
            "Namespace contains registered services; delete the services before deleting the namespace.",
        )
    aws.ask("servicediscovery", "delete_namespace", Id=made)
    aws.found(("NoSuchHostedZone",), "route53", "delete_hosted_zone", Id=state["hostedZone"])  # moto leaves it


def _dns(config: Props) -> dict[str, Any]:
    records = [{"TTL": record["ttl"], "Type": record["type"]} for record in config["dnsRecords"]]
    return {"DnsRecords": records}


def _create_service(aws: Aws, inputs: Props) -> str:
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
        if any(one["Name"] == inputs["name"] for one in _services(aws, namespace)):
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


def _read_service(aws: Aws, made: str, known: Props) -> Props | None:
    answer = aws.found(("ServiceNotFound",), "servicediscovery", "get_service", Id=made)
    if answer is None:
        return None
    found = answer["Service"]
    state = {
        **known,
        "arn": found["Arn"],
        "name": found["Name"],
        "namespaceId": known.get("namespaceId") or _namespace(aws, made),
        "type": "DNS_HTTP" if found.get("DnsConfig") else "HTTP",
        **_tags(aws, found["Arn"], known),
    }
    if dns := found.get("DnsConfig"):
        state["dnsConfig"] = {
            "namespaceId": state["namespaceId"],
            "routingPolicy": dns.get("RoutingPolicy", "MULTIVALUE"),
            "dnsRecords": [{"ttl": record["TTL"], "type": record["Type"]} for record in dns["DnsRecords"]],
        }
    return state


def _update_service(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if changed & {"description", "dnsConfig"}:
        asked: dict[str, Any] = {"Description": new.get("description", "")}
        if dns := new.get("dnsConfig"):
            asked["DnsConfig"] = _dns(dns)
        aws.ask("servicediscovery", "update_service", Id=made, Service=asked)
    _retag(aws, old, new)


def _delete_service(aws: Aws, made: str, state: Props) -> None:
    if aws.found(("ServiceNotFound",), "servicediscovery", "get_service", Id=made) is None:
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


TYPES = (
    Type(
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
        create=_create_namespace,
        read=_read_namespace,
        update=_update_namespace,
        delete=_delete_namespace,
        named="name",
    ),
    Type(
        "aws:servicediscovery/service:Service",
        "Service Discovery Service",
        {
            "description": GIVEN,
            "dnsConfig": block(
                {
                    "dnsRecords": list_of({"ttl": REQUIRED, "type": REQUIRED_REPLACES}, required=True),
                    "namespaceId": REQUIRED_REPLACES,
                    "routingPolicy": Field(
                        default="MULTIVALUE", replaces=ALWAYS, check=one_of("MULTIVALUE", "WEIGHTED")
                    ),
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
        create=_create_service,
        read=_read_service,
        update=_update_service,
        delete=_delete_service,
        named="name",
    ),
)
