"""What IAM says that a session may do: the calls of a rollback, simulated. Refuses to judge it (rules/rights.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutover.aws.hold import hold_name
from cutover.calls import client, pages
from cutover.rules.rights import Answered, Rights
from cutover.rules.verdict import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import boto3

    from settings.owner import Owner

_ALLOWED = "allowed"
_RULES_PER_CALL = 50


class RightsReads:
    """The clients that are asked. They are made at once: a session must not make them in several threads."""

    def __init__(self, aws: boto3.Session) -> None:
        self._region = str(aws.region_name)
        self._sts: Any = client(aws, "sts")
        self._iam: Any = client(aws, "iam")

    def read(self, owner: Owner, tags: Mapping[str, str], rules: Sequence[str], pools: Sequence[str] = ()) -> Rights:
        """Return what IAM says of the calls that roll back: the hold, and the weights of ``rules``, by ARN.

        ``pools`` are the user pools of Cognito before some of them, which ELB looks at in the name of who writes.

        :raises ClientError: AWS could not be read
        :raises Unread: who asks is nobody whose policies IAM tells
        """
        who = self._principal()
        _, partition, _, _, account, _ = who.split(":", 5)
        hold = f"arn:{partition}:ssm:{self._region}:{account}:parameter{hold_name(owner)}"
        asked = [(["ssm:PutParameter", "ssm:DeleteParameter"], [hold])] + [
            (["elasticloadbalancing:ModifyRule"], rules[first : first + _RULES_PER_CALL])
            for first in range(0, len(rules), _RULES_PER_CALL)
        ]
        if pools:
            asked.append((["cognito-idp:DescribeUserPoolClient"], pools))
        told = [one for actions, things in asked for one in self._told(who, actions, things, tags)]
        return Rights(who=who, answers=told)

    def _principal(self) -> str:
        """Return the user or role that asks: of a session STS tells the role's name alone, and not its path."""
        arn = self._sts.get_caller_identity()["Arn"]
        if ":assumed-role/" in arn:
            return self._iam.get_role(RoleName=arn.split("/")[1])["Role"]["Arn"]
        if ":user/" in arn:
            return arn
        raise Unread(f"IAM tells no policies of {arn}", "Ask as a user or in a role")

    def _told(
        self, who: str, actions: Sequence[str], things: Sequence[str], tags: Mapping[str, str]
    ) -> Iterator[Answered]:
        context = {"aws:RequestedRegion": [self._region], "aws:TagKeys": [*tags]}
        context |= {f"aws:{of}Tag/{key}": [value] for key, value in tags.items() for of in ("Request", "Resource")}
        entries = [
            {
                "ContextKeyName": key,
                "ContextKeyValues": values,
                "ContextKeyType": "stringList" if key == "aws:TagKeys" else "string",
            }
            for key, values in context.items()
            if values
        ]
        for one in pages(
            self._iam,
            "simulate_principal_policy",
            "EvaluationResults",
            PolicySourceArn=who,
            ActionNames=[*actions],
            ResourceArns=[*things],
            ContextEntries=entries,
        ):
            yield Answered(action=one["EvalActionName"], by=_by(one), missing=one.get("MissingContextValues", ()))


def _by(told: Mapping[str, Any]) -> str:
    """Return by what an action is denied, empty where it is allowed."""
    if told["EvalDecision"] == _ALLOWED:
        return ""
    if not told.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        return "by the organization"
    if not told.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True):
        return "by its permissions boundary"
    return "denied by a policy" if told["EvalDecision"] == "explicitDeny" else "no policy allows it"
