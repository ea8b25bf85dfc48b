"""What the API server itself refuses, before any webhook is asked: names, labels, and the schemas of the CRDs.

Holds the fields that a program of this project may set, with the limits of the CRDs of AWS Load Balancer Controller
3.5.0 and App Mesh controller 1.13.3. A field that is not here is refused, where a real API server drops it with a
warning: a rehearsal must not pass what it does not know.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.kubernetes.cluster import at
from rehearsal.cloud.refused import Refused
from settings.bindings import SINCE, level

if TYPE_CHECKING:
    from rehearsal.cloud.kubernetes.cluster import Kind
    from rehearsal.cloud.refused import Props

Schema = dict[str, Any]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LONGEST_NAME = {"Namespace": 63}
_LONGEST_LABEL = 63


def _object(*required: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _text(shortest: int = 0, longest: int | None = None) -> Schema:
    return {"type": "string", "minLength": shortest, **({} if longest is None else {"maxLength": longest})}


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


_MAP: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_YES_OR_NO: Schema = {"type": "boolean"}
_PORT: Schema = {"type": ["integer", "string"]}
_SELECTOR = _object(
    matchLabels=_MAP,
    matchExpressions=_list(
        _object("key", "operator", key=_text(), operator=_text(), values=_list(_text())),
    ),
)
_REFERENCE = _object("name", name=_text(), namespace=_text())
_MESH_REFERENCE = _object("name", "uid", name=_text(), uid=_text())
_PROTOCOL = _one_of("grpc", "http", "http2", "tcp")
_DURATION = _object("unit", "value", unit=_one_of("s", "ms"), value=_whole(0, 2**63))
_TIMEOUTS = _object(idle=_DURATION, perRequest=_DURATION)
_ANY_OBJECT: Schema = {"type": "object"}

_SPECS: dict[str, Schema] = {
    "TargetGroupBinding": _object(
        "serviceRef",
        serviceRef=_object("name", "port", name=_text(), port=_PORT),
        targetGroupARN=_text(),
        targetGroupName=_text(),
        targetType=_one_of("instance", "ip"),
        targetGroupProtocol=_one_of("HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"),
        ipAddressType=_one_of("ipv4", "ipv6"),
        vpcID=_text(),
        iamRoleArnToAssume=_text(),
        assumeRoleExternalId=_text(),
        nodeSelector=_SELECTOR,
        multiClusterTargetGroup=_YES_OR_NO,
        networking=_object(
            ingress=_list(
                _object(
                    "from",
                    "ports",
                    **{
                        "from": _list(
                            _object(
                                ipBlock=_object("cidr", cidr=_text()),
                                securityGroup=_object("groupID", groupID=_text()),
                            )
                        )
                    },
                    ports=_list(_object(protocol=_one_of("TCP", "UDP"), port=_PORT)),
                )
            )
        ),
    ),
    "Mesh": _object(
        awsName=_text(),
        namespaceSelector=_SELECTOR,
        egressFilter=_object("type", type=_one_of("ALLOW_ALL", "DROP_ALL")),
        meshOwner=_text(),
        meshServiceDiscovery=_object(ipPreference=_one_of("IPv6_ONLY", "IPv4_ONLY")),
    ),
    "VirtualNode": _object(
        awsName=_text(),
        meshRef=_MESH_REFERENCE,
        podSelector=_SELECTOR,
        listeners=_list(
            _object(
                "portMapping",
                portMapping=_object("port", "protocol", port=_whole(1, 65535), protocol=_PROTOCOL),
                healthCheck=_object(
                    "healthyThreshold",
                    "intervalMillis",
                    "protocol",
                    "timeoutMillis",
                    "unhealthyThreshold",
                    healthyThreshold=_whole(2, 10),
                    intervalMillis=_whole(5000, 300000),
                    path=_text(),
                    port=_whole(1, 65535),
                    protocol=_PROTOCOL,
                    timeoutMillis=_whole(2000, 60000),
                    unhealthyThreshold=_whole(2, 10),
                ),
                timeout=_object(grpc=_TIMEOUTS, http=_TIMEOUTS, http2=_TIMEOUTS, tcp=_object(idle=_DURATION)),
            )
        ),
        backends=_list(
            _object(
                "virtualService",
                virtualService=_object(virtualServiceRef=_REFERENCE, virtualServiceARN=_text()),
            )
        ),
        serviceDiscovery=_object(
            awsCloudMap=_object(
                "namespaceName",
                "serviceName",
                namespaceName=_text(1, 1024),
                serviceName=_text(1, 1024),
                attributes=_list(_object("key", "value", key=_text(1, 255), value=_text(1, 1024))),
            ),
            dns=_object("hostname", hostname=_text(), responseType=_one_of("ENDPOINTS", "LOADBALANCER")),
        ),
        logging=_object(
            accessLog=_object(file=_object("path", path=_text(1, 255), format=_ANY_OBJECT)),
        ),
    ),
    "VirtualService": _object(
        awsName=_text(),
        meshRef=_MESH_REFERENCE,
        provider=_object(
            virtualNode=_object(virtualNodeRef=_REFERENCE, virtualNodeARN=_text()),
            virtualRouter=_object(virtualRouterRef=_REFERENCE, virtualRouterARN=_text()),
        ),
    ),
    "VirtualRouter": _object(
        awsName=_text(),
        meshRef=_MESH_REFERENCE,
        listeners=_list(
            _object(
                "portMapping",
                portMapping=_object("port", "protocol", port=_whole(1, 65535), protocol=_PROTOCOL),
            )
        ),
        routes=_list(
            _object(
                "name",
                name=_text(1, 255),
                priority=_whole(0, 1000),
                grpcRoute=_ANY_OBJECT,
                httpRoute=_ANY_OBJECT,
                http2Route=_ANY_OBJECT,
                tcpRoute=_ANY_OBJECT,
            )
        ),
    ),
}


def _auto_mode() -> Schema:
    """Return the specification of EKS Auto Mode's binding, which knows a target group of its own account by its ARN."""
    spec, lacks = _SPECS["TargetGroupBinding"], {"targetGroupName", "iamRoleArnToAssume", "assumeRoleExternalId"}
    return {**spec, "properties": {name: one for name, one in spec["properties"].items() if name not in lacks}}


_MANIFEST = {"apiVersion": _text(), "kind": _text(), "metadata": _ANY_OBJECT}
_SCHEMAS: dict[str, Schema] = {
    "Namespace": _object(**_MANIFEST, spec=_ANY_OBJECT),
    "ServiceAccount": _object(**_MANIFEST, automountServiceAccountToken=_YES_OR_NO),
    "ConfigMap": _object(**_MANIFEST, data=_MAP, binaryData=_MAP, immutable=_YES_OR_NO),
    **{name: _object(**_MANIFEST, spec=spec) for name, spec in _SPECS.items()},
    "targetgroupbindings.eks.amazonaws.com": _object(**_MANIFEST, spec=_auto_mode()),
}


def schema(kind: Kind, of: str = "") -> Schema:
    """Return the schema of a kind, or the one that came with an older version ``of`` its controller."""
    found = _SCHEMAS.get(kind.resource) or _SCHEMAS[kind.name]
    if not of:
        return found
    spec = found["properties"]["spec"]
    known = {name: one for name, one in spec["properties"].items() if level(of) >= SINCE.get(name, (0, 0))}
    return {**found, "properties": {**found["properties"], "spec": {**spec, "properties": known}}}


def validate(kind: Kind, manifest: Props, of: str = "") -> None:
    """Raise Refused with all that is wrong with a manifest, in the API server's words; ``of`` is its CRD's version."""
    problems = [*_metadata_problems(kind, manifest), *_schema_problems(schema(kind, of), manifest)]
    if problems:
        group = kind.api_version.rpartition("/")[0]
        named = f"{kind.name}.{group}" if group else kind.name
        name = at(manifest, "metadata", "name")
        raise Refused(f'{named} "{name}" is invalid: {problems[0] if len(problems) == 1 else _bracketed(problems)}')


def _bracketed(problems: list[str]) -> str:
    return f"[{', '.join(problems)}]"


def _metadata_problems(kind: Kind, manifest: Props) -> list[str]:
    metadata = manifest.get("metadata", {})
    name = metadata.get("name", "")
    longest = _LONGEST_NAME.get(kind.name, 253)
    problems: list[str] = []
    if not _NAME.fullmatch(name) or len(name) > longest:
        problems.append(
            f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain of at most {longest} characters '
            "must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
            "alphanumeric character"
        )
    problems.extend(
        f'metadata.labels: Invalid value: "{value}": a valid label must be at most {_LONGEST_LABEL} characters of '
        "alphanumerics, '-', '_' or '.', and must start and end with an alphanumeric character"
        for value in metadata.get("labels", {}).values()
        if not isinstance(value, str) or len(value) > _LONGEST_LABEL or not _LABEL.fullmatch(value)
    )
    return problems


def _schema_problems(schema: Schema, manifest: Props) -> list[str]:
    import jsonschema  # noqa: PLC0415 - it takes as long to load as the rest of the plugin, and most previews do without

    return [_in_words(error) for error in jsonschema.Draft202012Validator(schema).iter_errors(manifest)]


def _in_words(error: Any) -> str:
    path = ""
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    path = path.removeprefix(".")
    match error.validator:
        case "enum":
            supported = ", ".join(f'"{value}"' for value in error.validator_value)
            return f'{path}: Unsupported value: "{error.instance}": supported values: {supported}'
        case "required":
            missing = next(name for name in error.validator_value if name not in error.instance)
            return f"{f'{path}.' if path else ''}{missing}: Required value"
        case "additionalProperties":
            known = error.schema["properties"]
            extra = next(name for name in error.instance if name not in known)
            return f'unknown field "{f"{path}." if path else ""}{extra}"'
        case _:
            return f"{path}: Invalid value: {error.message}"
