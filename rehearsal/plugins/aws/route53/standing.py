"""What stands in the account: hosted zones, and the records of one. Refuses to judge any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.plugins.aws.calls import find

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def find_zone(aws: Aws, zone: str) -> Props | None:
    """Return a hosted zone, or None when it is gone."""
    return find(aws, ("NoSuchHostedZone",), "route53", "get_hosted_zone", "HostedZone", Id=zone)


def every_zone(aws: Aws) -> list[Props]:
    """Return the hosted zones of the account."""
    return aws.pages("route53", "list_hosted_zones", "HostedZones")


def records_of(aws: Aws, zone: str) -> list[Props]:
    """Return the records of a hosted zone."""
    return aws.pages("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone)
