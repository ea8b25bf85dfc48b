"""What everything in the emulated cloud takes and how it refuses: properties as JSON has them, and one exception."""

from __future__ import annotations

from typing import Any

Props = dict[str, Any]


class Refused(Exception):  # noqa: N818 - it is an answer of the emulated cloud, not a failure of the plugin
    """What the emulated cloud answers instead of doing what was asked; its text reaches the user as it is."""
