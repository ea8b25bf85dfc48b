"""Where a rehearsal is: a region, and availability zones that moto's list does not have, being older.

Refuses to own which zones a stack file may name (settings/).
"""

REGION = "ap-northeast-1"
"""Where a sandbox is, unless it is told otherwise; it is the region of both stack files that ship."""

ZONE = "zone"
"""Documents {region} by the name of an availability zone that the emulated AWS has besides."""
