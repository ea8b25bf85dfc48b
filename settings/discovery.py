"""`serviceDiscovery` and `mesh`: what each key takes, and what another value would cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from settings.values import DnsLabel, DomainName, Model, Name, Port, edited, rule, text

AttributeKey = Annotated[
    str,
    rule(
        "CUT155",
        lambda value: text(r"[!-~]{1,255}")(value) and not value.startswith("AWS_"),
        "an attribute's key is 1 to 255 visible characters and does not begin with AWS_, which Cloud Map keeps for "
        "itself. No instance could be registered. Write e.g. team",
    ),
]

AttributeValue = Annotated[
    str,
    rule(
        "CUT156",
        text(r"(?=.{1,1024}$)[!-~]([ -~]*[!-~])?"),
        "an attribute's value is text of 1 to 1024 visible characters. No instance could be registered. Write e.g. dev",
    ),
]


class VirtualNode(Model):
    """The pods of a Cloud Map service, as the mesh sees them."""

    namespace: DnsLabel = Field(description="their namespace", json_schema_extra=edited("replaces the virtual node"))
    pod_labels: dict[str, str] = Field(min_length=1, description="the labels that select them")
    port: Port = Field(description="the port that they listen on")
    protocol: Literal["http", "http2", "grpc", "tcp"] = Field(description="what they speak")


class CloudMapService(Model):
    """A Cloud Map service in the shared namespace; no controller owns it."""

    virtual_node: VirtualNode | None = Field(default=None, description="its pods, for mesh.kind appMesh")


class ServiceDiscovery(Model):
    """The Cloud Map namespace that all clusters share."""

    namespace: DomainName = Field(
        description="its name, unique in account and region; a private DNS name in the VPC",
        json_schema_extra=edited("replaces it, without its instances"),
    )
    services: dict[Name, CloudMapService] = Field(default={}, description="its services")
    attributes: dict[AttributeKey, AttributeValue] = Field(
        default={},
        description="attributes of every instance, beside ver (the cluster's key); env is the stack unless given here",
        json_schema_extra=edited("replaces the virtual nodes, one after the other"),
    )


class Mesh(Model):
    """The service mesh inside the clusters."""

    kind: Literal["appMesh", "none"] = Field(default="none", description="AWS App Mesh, which ended on 2026-09-30")
