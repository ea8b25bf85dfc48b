"""The Cloud Map namespace and services that all clusters share."""

from __future__ import annotations

import pulumi

from components.service_discovery import SharedNamespace, SharedNamespaceArgs
from tests.conftest import Recorder, record


def _recorded() -> Recorder:
    def declare() -> None:
        args = SharedNamespaceArgs(namespace="a.example.com", services=["grpc-api", "orders"], vpc_id="vpc-1")
        namespace = SharedNamespace("discovery", args)
        pulumi.export("services", {name: service.id for name, service in namespace.services.items()})

    return record(declare)


def test_the_namespace_is_a_private_dns_name_in_the_vpc() -> None:
    namespace = _recorded().of("PrivateDnsNamespace")["discovery"].inputs
    assert (namespace["name"], namespace["vpc"]) == ("a.example.com", "vpc-1")


def test_the_stack_makes_every_service_so_that_no_clusters_controller_owns_one() -> None:
    recorder = _recorded()
    services = recorder.of("service:Service")
    assert {service.inputs["name"] for service in services.values()} == {"grpc-api", "orders"}
    assert recorder.exports["services"] == {"grpc-api": "discovery-grpc-api-id", "orders": "discovery-orders-id"}


def test_services_answer_with_the_addresses_of_all_clusters_for_seconds_only() -> None:
    service = _recorded().of("service:Service")["discovery-grpc-api"].inputs
    assert service["dnsConfig"] == {
        "namespaceId": "discovery-id",
        "routingPolicy": "MULTIVALUE",
        "dnsRecords": [{"type": "A", "ttl": 10}],
    }


def test_a_service_with_instances_is_not_deleted() -> None:
    assert _recorded().of("service:Service")["discovery-grpc-api"].inputs["forceDestroy"] is False


def test_a_service_says_nothing_of_custom_health_checks_because_each_preview_would_replace_it() -> None:
    assert "healthCheckCustomConfig" not in _recorded().of("service:Service")["discovery-grpc-api"].inputs
