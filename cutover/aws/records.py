"""DNS records as Route 53 has them: where they lead, and who keeps them, as far as that can be told.

Refuses to judge (cutover/rules/records.py), and to change any.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cutover.calls import client, pages
from cutover.rules.records import Record
from cutover.rules.whose import whose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import boto3

# What external-dns puts before a record's name for the TXT record by which it owns it, unless told otherwise.
_OWNED = ("", "a-", "aaaa-", "cname-")
_OWNER = re.compile(r"external-dns/owner=([^,\"]+)")
_OF_ONE_NAME = "20"  # more types than one name has, and fewer than a zone


def targets(record: Mapping[str, Any]) -> list[str]:
    """Return the names to which a record leads, as an alias or a CNAME."""
    aliased = record.get("AliasTarget", {}).get("DNSName", "")
    named = [one["Value"] for one in record.get("ResourceRecords", ()) if record["Type"] == "CNAME"]
    return [name.lower().rstrip(".").removeprefix("dualstack.") for name in [aliased, *named] if name]


def keeper(name: str, records: Sequence[Mapping[str, Any]]) -> str:
    """Return what keeps the record of a name, by TXT records of its zone; empty where none tells."""
    marks = {one["Name"]: str(one.get("ResourceRecords")) for one in records if one["Type"] == "TXT"}
    texts = (marks.get(f"{begin}{name}", "") for begin in _OWNED)
    text = next((text for text in texts if "heritage=external-dns" in text), "")
    owner = _OWNER.search(text)
    return f"external-dns{f' ({owner[1]})' if owner else ''}" if text else ""


def standing(account: boto3.Session, zones: boto3.Session, zone: str, name: str, kind: str) -> Record | None:
    """Return the record that answers for the addresses of a name in a hosted zone, by its id; None: there is none.

    ``account`` is that of the load balancers, ``zones`` that of the hosted zone; ``kind`` is A or AAAA.

    :raises ClientError: Route 53 could not be read
    """
    route53: Any = client(zones, "route53")

    def named(whole: str) -> list[dict[str, Any]]:
        asked = {"HostedZoneId": zone, "StartRecordName": whole, "MaxItems": _OF_ONE_NAME}
        found = route53.list_resource_record_sets(**asked)["ResourceRecordSets"]
        return [one for one in found if _plain(one["Name"]) == whole]

    there = next((one for one in named(name) if one["Type"] in {kind, "CNAME"}), None)
    if there is None:
        return None
    marks = [one for begin in _OWNED for one in named(f"{begin}{name}")]
    led = targets(there) or [one["Value"] for one in there.get("ResourceRecords", ())]
    return Record(name, there["Type"], ", ".join(led), _owner(account, led), keeper(there["Name"], marks))


def _plain(name: str) -> str:
    return name.rstrip(".").replace("\\052", "*")


def _owner(account: boto3.Session, names: Sequence[str]) -> str:
    """Return whose the load balancer is that has one of some DNS names; empty where there is none in the account."""
    elb: Any = client(account, "elbv2")
    balancers = pages(elb, "describe_load_balancers", "LoadBalancers")
    arns = [one["LoadBalancerArn"] for one in balancers if one["DNSName"].lower() in names]
    told = elb.describe_tags(ResourceArns=arns)["TagDescriptions"] if arns else []
    return whose({tag["Key"]: tag["Value"] for one in told for tag in one["Tags"]})
