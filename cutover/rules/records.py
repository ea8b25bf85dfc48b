"""A DNS record that stands where the stack would make its own: Route 53 refuses a second one. Pure.

Refuses to own how it is found (cutover/aws/records.py), and when it is asked for (cutover/engine/record_hooks.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """A record: its name, its type, where it leads and whose that is, and who keeps it; empty where nothing tells."""

    name: str
    type: str
    target: str
    owner: str = ""
    keeper: str = ""


def taken(record: Record) -> str:
    """Say that a name has a record already, whose it is, and how it is handed over."""
    where = f"{record.target} ({record.owner})" if record.owner else record.target
    keeper = f", and {record.keeper} keeps it" if record.keeper else ""
    return (
        f"{record.name} has a record already ({record.type} to {where}{keeper}). Route 53 would refuse a second one at "
        "the end of the update. Write dns: {managedBy: external} for the load balancer, and have "
        f"{record.keeper or 'its maker'} lead it there once that answers as it should"
    )
