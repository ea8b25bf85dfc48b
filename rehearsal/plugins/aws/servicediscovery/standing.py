"""What stands in the account: a namespace, a service, and which of these are in which. Refuses to own instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import find

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def find_namespace(aws: Aws, made: str) -> Props | None:
    """Return a namespace, or None when it is gone."""
    return find(aws, ("NamespaceNotFound",), "servicediscovery", "get_namespace", "Namespace", Id=made)


def find_service(aws: Aws, made: str) -> Props | None:
    """Return a service, or None when it is gone."""
    return find(aws, ("ServiceNotFound",), "servicediscovery", "get_service", "Service", Id=made)


def services_of(aws: Aws, namespace: str) -> list[Props]:
    """Return the services of a namespace."""
    every = aws.pages("servicediscovery", "list_services", "Services")
    return [one for one in every if namespace_of(aws, one["Id"]) == namespace]


def namespace_of(aws: Aws, service: str) -> str:
    """Return the id of the namespace of a service."""
    found = aws.ask("servicediscovery", "get_service", Id=service)["Service"]
    return found.get("NamespaceId") or found.get("DnsConfig", {}).get("NamespaceId", "")
