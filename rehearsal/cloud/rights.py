"""What IAM says that somebody may do, where moto simulates no policies.

Owns the actions and resources of the policies that a role or user has. Refuses to look at conditions, boundaries and
organizations, and to enforce anything: nobody here asks what may be done. Of the rehearsal's own user there are no
policies, and it has all rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.responses import IamResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECISIONS = {PermissionResult.PERMITTED: "allowed", PermissionResult.DENIED: "explicitDeny"}


def install() -> None:
    """Let moto's IAM answer SimulatePrincipalPolicy."""
    IamResponse.simulate_principal_policy = _simulate  # pyright: ignore[reportAttributeAccessIssue]


def _simulate(self: IamResponse) -> ActionResult:
    of = self._get_param("PolicySourceArn")  # pyright: ignore[reportPrivateUsage]
    actions, things = self._get_param("ActionNames"), self._get_param("ResourceArns")  # pyright: ignore[reportPrivateUsage]
    holders = [one for one in [*self.backend.roles.values(), *self.backend.users.values()] if one.arn == of]
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": thing,
            "EvalDecision": _decision(holders[0], action, thing) if holders else "allowed",
        }
        for action in actions
        for thing in things
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _decision(holder: Any, action: str, thing: str) -> str:
    said = {policy.is_action_permitted(action, thing) for policy in _policies(holder)}
    deciding = PermissionResult.DENIED if PermissionResult.DENIED in said else PermissionResult.PERMITTED
    return _DECISIONS[deciding] if deciding in said else "implicitDeny"


def _policies(holder: Any) -> Iterator[IAMPolicy]:
    inline = holder.policies
    yield from (IAMPolicy(one) for one in (inline.values() if isinstance(inline, dict) else inline))
    yield from (IAMPolicy(one) for one in holder.managed_policies.values())
