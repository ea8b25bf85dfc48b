"""What marks the things that a component declares as the running stack's (settings/owner.py has the tags)."""

import pulumi

from settings.owner import Owner


def own_tags() -> dict[str, str]:
    """Return what marks a thing as the running stack's."""
    return Owner(pulumi.get_project(), pulumi.get_stack()).tags
