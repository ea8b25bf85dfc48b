"""Whether who asks here could roll back: what IAM says beforehand of the calls that a rollback makes. Pure.

Refuses to own the asking (cutover/aws/rights.py), and what IAM does not know: the policies of an endpoint on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutover.rules.check import Check
from cutover.rules.verdict import Unread, Verdict, known, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutover.rules.check import Judged
    from cutover.rules.facts import Facts


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What IAM says of one action on one thing: ``by`` what it is denied, empty where it is allowed.

    ``missing`` are keys of a condition that the answer rests on, and that only the call itself has.
    """

    action: str
    by: str
    missing: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What IAM says of a principal, by ARN."""

    who: str
    answers: Sequence[Answered]


def _judged(facts: Facts) -> Judged:
    rights = known(facts.rights)
    denied = {f"{one.action} ({one.by})" for one in rights.answers if one.by and not one.missing}
    if denied:
        cure = "Give it docs/policies/changes.json, or ask here as who would roll back: a rollback by it moves nothing"
        return Verdict.WARN, f"{rights.who} may not {some(denied)}", cure
    open_to = {f"{one.action} depends on {', '.join(one.missing)}" for one in rights.answers if one.by}
    if open_to:
        why = f"whether {rights.who} may is not told beforehand: {some(open_to)}"
        raise Unread(why, "Look at the conditions of its policies on these keys, which only the call itself has")
    return Verdict.OK, f"{rights.who} may {some({one.action for one in rights.answers})}", ""


CHECK = Check(
    code="CUT027",
    title="rights to roll back",
    why="A rollback leaves its hold before it moves anything. Who may read everything and write nothing learns that at "
    "night.",
    evidence="`iam:SimulatePrincipalPolicy` for whoever asks, with the tags that the stack gives: its own policies, "
    "its boundary and the organization's, for the hold and for each weighted rule.",
    cure="Ask as who would roll back, and give that role `docs/policies/changes.json`.",
    page="https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html",
    judged=_judged,
)
