"""The emulated record of a hosted zone, known by its name, its type and its set identifier.

From the provider's source. Refuses to own zones and to resolve anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.route53.standing import find_zone, records_of
from rehearsal.plugins.aws.table import ALWAYS, GIVEN, OUTPUT, REQUIRED, REQUIRED_REPLACES, Field, Type, list_of, set_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _plain(name: Any) -> Any:
    return name.lower().rstrip(".") if isinstance(name, str) else name


def _zone_name(aws: Aws, zone: str) -> str:
    return _plain(aws.ask("route53", "get_hosted_zone", Id=zone)["HostedZone"]["Name"])


def _fqdn(aws: Aws, inputs: Props) -> str:
    name, zone = _plain(inputs["name"]), _zone_name(aws, inputs["zoneId"])
    if name in ("", zone):
        return zone
    return name if name.endswith(f".{zone}") else f"{name}.{zone}"


def _record(fqdn: str, inputs: Props) -> dict[str, Any]:
    record: dict[str, Any] = {"Name": f"{fqdn}.", "Type": inputs["type"]}
    if aliases := inputs.get("aliases"):
        record["AliasTarget"] = {
            "DNSName": aliases[0]["name"],
            "HostedZoneId": aliases[0]["zoneId"],
            "EvaluateTargetHealth": aliases[0]["evaluateTargetHealth"],
        }
    else:
        record["TTL"] = inputs["ttl"]
        record["ResourceRecords"] = [{"Value": value} for value in inputs["records"]]
    if "setIdentifier" in inputs:
        record["SetIdentifier"] = inputs["setIdentifier"]
        record["Weight"] = inputs["weightedRoutingPolicies"][0]["weight"]
    return record


def _change(aws: Aws, zone: str, *changes: tuple[str, dict[str, Any]]) -> None:
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
    aws.ask("route53", "change_resource_record_sets", HostedZoneId=zone, ChangeBatch=batch)


def _find(aws: Aws, fqdn: str, inputs: Props) -> dict[str, Any] | None:
    for record in records_of(aws, inputs["zoneId"]):
        if (
            _plain(record["Name"]) == fqdn
            and record["Type"] == inputs["type"]
            and record.get("SetIdentifier") == inputs.get("setIdentifier")
        ):
            return record
    return None


def _create(aws: Aws, inputs: Props) -> str:
    fqdn, overwrite = _fqdn(aws, inputs), inputs.get("allowOverwrite", False)
    if not overwrite and _find(aws, fqdn, inputs):
        raise AwsError(
            "route53",
            "ChangeResourceRecordSets",
            "InvalidChangeBatch",
            f"[Tried to create resource record set [name='{fqdn}.', type='{inputs['type']}'] but it already exists]",
        )
    _change(aws, inputs["zoneId"], ("UPSERT" if overwrite else "CREATE", _record(fqdn, inputs)))
    parts = (inputs["zoneId"], _plain(inputs["name"]), inputs["type"], inputs.get("setIdentifier"))
    return "_".join(part for part in parts if part)


def _said(made: str) -> Props:
    """Return what the id of a record tells of it, which is all that an import is given."""
    zone, name, kind, *more = made.split("_")
    return {"zoneId": zone, "name": name, "type": kind, **({"setIdentifier": more[0]} if more else {})}


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    known = known or _said(made)
    if find_zone(aws, known["zoneId"]) is None:
        return None
    fqdn = _fqdn(aws, known)
    record = _find(aws, fqdn, known)
    if record is None:
        return None
    state = {name: value for name, value in known.items() if name not in ("aliases", "records", "ttl")}
    state["fqdn"] = fqdn
    if target := record.get("AliasTarget"):
        state["aliases"] = [
            {
                "name": _plain(target["DNSName"]),
                "zoneId": target["HostedZoneId"],
                "evaluateTargetHealth": target["EvaluateTargetHealth"],
            }
        ]
    else:
        state["ttl"] = record["TTL"]
        state["records"] = [one["Value"] for one in record["ResourceRecords"]]
    if "Weight" in record:
        state["weightedRoutingPolicies"] = [{"weight": record["Weight"]}]
    return state


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    fqdn = _fqdn(aws, new)
    if changed & {"type", "setIdentifier"}:
        _change(aws, new["zoneId"], ("DELETE", _record(fqdn, old)), ("CREATE", _record(fqdn, new)))
    else:
        _change(aws, new["zoneId"], ("UPSERT", _record(fqdn, new)))


def _delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    zone = find_zone(aws, state["zoneId"])
    record = _find(aws, _fqdn(aws, state), state) if zone else None
    if record:
        _change(aws, state["zoneId"], ("DELETE", record))


def _records_or_alias(inputs: Props) -> Iterator[str]:
    if ("aliases" in inputs) == ("records" in inputs):
        yield "exactly one of aliases, records must be specified"
    if "records" in inputs and "ttl" not in inputs:
        yield '"ttl": all of records, ttl must be specified'
    if ("setIdentifier" in inputs) != ("weightedRoutingPolicies" in inputs):
        yield "setIdentifier and weightedRoutingPolicies must be specified together"


TYPE = Type(
    "aws:route53/record:Record",
    "Route 53 Record",
    {
        "aliases": list_of(
            {"evaluateTargetHealth": REQUIRED, "name": Field(required=True, same=_plain), "zoneId": REQUIRED}
        ),
        "allowOverwrite": GIVEN,
        "name": Field(required=True, replaces=ALWAYS, same=_plain),
        "records": set_of(),
        "setIdentifier": GIVEN,
        "ttl": GIVEN,
        "type": REQUIRED,
        "weightedRoutingPolicies": list_of({"weight": REQUIRED}),
        "zoneId": REQUIRED_REPLACES,
        "fqdn": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    regional=False,
    rule=_records_or_alias,
)
