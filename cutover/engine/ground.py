"""What the program asks of AWS before its first resource, and what it refuses by it.

So what is missing is told by its key, in one line, and not by a provider after an hour, or by nobody where the engine
has stopped at something else first. Refuses to own the questions (cutover/aws/ground.py) and the answers' meaning
(cutover/rules/ground.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from cutover.aws import ground
from cutover.rules.ground import mistakes, warnings
from settings.reading import refusal

if TYPE_CHECKING:
    from settings import Settings


def check(settings: Settings) -> None:
    """End a preview whose stack file takes for granted what AWS does not have.

    :raises SettingsError: it does; nothing has been changed
    """
    if not pulumi.runtime.is_dry_run():
        return
    there = ground.read(settings)
    for text in warnings(settings, there):
        pulumi.log.warn(text)
    if found := mistakes(settings, there):
        raise refusal(found, settings)
