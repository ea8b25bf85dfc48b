"""What stands in a namespace: its services. Refuses to own instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.cloud.session import Aws


def services_of(aws: Aws, namespace: str) -> list[dict[str, Any]]:
    """Return the services of a namespace."""
    every = aws.pages("servicediscovery", "list_services", "Services")
    return [one for one in every if namespace_of(aws, one["Id"]) == namespace]


def namespace_of(aws: Aws, service: str) -> str:
    """Return the id of the namespace of a service."""
    found = aws.ask("servicediscovery", "get_service", Id=service)["Service"]
    return found.get("NamespaceId") or found.get("DnsConfig", {}).get("NamespaceId", "")
