"""How a thing of EC2 is deleted: refused while something holds it, and waited for as the provider waits.

From AWS's DependencyViolation, which moto does not know. Refuses to own what holds a thing: its type tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_IN_USE = ("DependencyViolation", "InvalidGroup.InUse", "InvalidIPAddress.InUse")


def deleter(operation: str, parameter: str, gone: str, used: Callable[[Aws, str], str] | None = None) -> Any:
    """Make the delete function of a type; ``used`` tells by whom it is held, in AWS's words, or nothing."""

    def delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
        def act() -> None:
            if used and (words := used(aws, made)):
                name = "".join(word.capitalize() for word in operation.split("_"))
                raise AwsError("ec2", name, "DependencyViolation", words)
            aws.found((gone,), "ec2", operation, **{parameter: made})

        aws.patiently(act, _IN_USE)

    return delete
