"""The only writes to AWS that the command line makes: weights of a rule, the hold, what probes saw, targets that leave.

Owns what a write must leave as it was. Refuses to judge, and to know which weights are right. Everything else in AWS is
changed by the engine.

ELB documents no rate for ModifyRule; the controllers' own default for what is neither a read nor a registration is 20
at once and 3 a second. Ten at a time stay below that, and botocore's adaptive retries do the rest.
"""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cutover.aws.hold import hold_name, hold_names
from cutover.aws.listeners import forwarded
from cutover.aws.probe_records import record_name
from cutover.calls import OutsideError, at_once, client, failing_as, told

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    import boto3

    from cutover.rules.move import Hold
    from cutover.rules.probes import Record
    from settings.owner import Owner

_AT_ONCE = 10
_DRAINING = "draining"
_TARGETS_PER_CALL = 200  # as the AWS Load Balancer Controller has it
_OUTSIDE = "all"  # the zone of a target outside the load balancer's VPC, the only one that may be named

Target = dict[str, Any]
"""A target as ELB's API takes it: Id and Port."""


class WriteError(OutsideError):
    """AWS did not take a write. The text says which, and why."""


@dataclass(frozen=True)
class Outcome:
    """What became of rules, by ARN: those whose weights were changed, and why others could not be.

    A rule in neither had the weights already.
    """

    moved: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict[str, str])


class Writes:
    """Writes to one stack in one account. Calls may come from any thread. ``tags`` are of what is made."""

    def __init__(self, account: boto3.Session, owner: Owner, tags: Mapping[str, str] | None = None) -> None:
        self._owner, self._tags = owner, tags or {}
        self._elb: Any = client(account, "elbv2")
        self._ssm: Any = client(account, "ssm")

    def hold(self, hold: Hold) -> None:
        """Leave the hold, in place of one that stands.

        :raises WriteError: AWS did not take it
        """
        says = f"A rollback holds the weights: `cutover release -s {self._owner.stack}` lifts it"
        self._leave(hold_name(self._owner), asdict(hold), says)

    def saw(self, route: str, cluster: str, record: Record) -> None:
        """Leave what a route's probes saw in a cluster, in place of what they saw before.

        :raises WriteError: AWS did not take it
        """
        says = (
            f"What the probes of {route} saw in {cluster}: `cutover status {cluster} -s {self._owner.stack}` asks anew"
        )
        self._leave(record_name(self._owner, route, cluster), asdict(record), says)

    def forget(self, cluster: str, routes: Iterable[str]) -> None:
        """Take away what probes of routes saw in a cluster. It is no error if there is nothing.

        :raises WriteError: AWS did not do it
        """
        with failing_as(WriteError):
            for route in routes:
                with suppress(self._ssm.exceptions.ParameterNotFound):
                    self._ssm.delete_parameter(Name=record_name(self._owner, route, cluster))

    def _leave(self, name: str, document: Mapping[str, Any], says: str) -> None:
        """Write a parameter, in place of one that stands.

        A new one is tagged, which an organization may demand of whatever is made (SSM refuses tags for one that is
        there); where tags alone are denied, it is left without.
        """

        def put(**more: Any) -> Mapping[str, Any]:
            return self._ssm.put_parameter(
                Name=name,
                Value=json.dumps(document, separators=(",", ":")),
                Type="String",
                Tier="Intelligent-Tiering",  # fifty routes are more than the 4 KB of a standard parameter
                Description=says,
                **more,
            )

        with failing_as(WriteError):
            try:
                answer = put(Tags=[{"Key": key, "Value": value} for key, value in self._tags.items()])
            except ClientError as error:
                if error.response["Error"]["Code"] not in {"ParameterAlreadyExists", "AccessDeniedException"}:
                    raise
                answer = put(Overwrite=True)
        if "Version" not in answer:  # of a page that somebody answers in SSM's place botocore makes an empty answer
            raise WriteError("what came in answer to ssm PutParameter is not SSM's")

    def release(self) -> None:
        """Lift the hold that counts, and no other. It is no error if there is none.

        :raises WriteError: AWS did not do it
        """
        with failing_as(WriteError):
            for name in hold_names(self._owner):
                with suppress(self._ssm.exceptions.ParameterNotFound):
                    self._ssm.delete_parameter(Name=name)
                    return

    def set_weights(self, wanted: Mapping[str, Mapping[str, int]]) -> Outcome:
        """Give rules, by ARN and in this order, weights by target group ARN, and leave all else in them as it is.

        Done again, it changes nothing: so it also tells whether the weights are still there.
        """
        try:
            rules = self._actions(wanted)
        except Exception as error:
            return Outcome(failed=dict.fromkeys(wanted, told(error)))
        failed = {arn: "there is no such rule" for arn in wanted if arn not in rules}
        changed = {arn: weighted(rules[arn], weights) for arn, weights in wanted.items() if arn in rules}
        changed = {arn: actions for arn, actions in changed.items() if forwarded(actions) != forwarded(rules[arn])}
        said = dict(zip(changed, at_once(lambda arn: self._modify(arn, changed[arn]), changed, _AT_ONCE), strict=True))
        failed |= {arn: error for arn, error in said.items() if error}
        return Outcome(tuple(arn for arn, error in said.items() if not error), failed)

    def registered(self, groups: Iterable[str]) -> dict[str, list[Target]]:
        """Return the targets of groups that new requests may go to.

        :raises WriteError: AWS did not tell
        """
        return {
            group: [_target(one["Target"]) for one in targets if one["TargetHealth"]["State"] != _DRAINING]
            for group, targets in self._targets(groups).items()
        }

    def register(self, targets: Mapping[str, list[Target]]) -> None:
        """Register targets by group, also those that are draining. One that is registered stays as it is.

        :raises WriteError: AWS did not take some, which the text names; it was given all others
        """
        refused: list[str] = []
        for group, every in targets.items():
            try:
                self._in_chunks(self._elb.register_targets, {group: every})
            except WriteError:  # one that may not be registered, since its node has gone, keeps out all of its call
                for target in every:
                    try:
                        self._in_chunks(self._elb.register_targets, {group: [target]})
                    except WriteError as error:
                        refused.append(f"{target['Id']}: {error}")
        if refused:
            raise WriteError("; ".join(refused))

    def drain(self, targets: Mapping[str, list[Target]]) -> None:
        """Deregister targets by group: ELB lets each finish its requests.

        To be done while a rule still forwards to the groups, at weight 0: a target of a detached group is not drained,
        and a binding that is deleted does not wait for it. What matters are requests that are open and connections that
        are kept; new ones do not come. The cluster's own controller may register targets again, when a pod comes or
        goes; otherwise it does not look for hours. That takes nothing back: a target that is registered again gets no
        request at weight 0. So it is done once, and not fought over.

        :raises WriteError: AWS did not take it
        """
        self._in_chunks(self._elb.deregister_targets, targets)

    def draining(self, groups: Iterable[str]) -> int:
        """Return how many targets of groups still finish their requests.

        :raises WriteError: AWS did not tell
        """
        states = [one["TargetHealth"]["State"] for targets in self._targets(groups).values() for one in targets]
        return states.count(_DRAINING)

    def _in_chunks(self, call: Callable[..., object], targets: Mapping[str, list[Target]]) -> None:
        with failing_as(WriteError):
            for group, every in targets.items():
                for start in range(0, len(every), _TARGETS_PER_CALL):
                    call(TargetGroupArn=group, Targets=every[start : start + _TARGETS_PER_CALL])

    def _targets(self, groups: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        arns = list(groups)

        def targets(arn: str) -> list[dict[str, Any]]:
            return self._elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]

        with failing_as(WriteError):
            return dict(zip(arns, at_once(targets, arns, _AT_ONCE), strict=True))

    def _actions(self, arns: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        if not arns:
            return {}
        pages = self._elb.get_paginator("describe_rules").paginate(RuleArns=list(arns))
        try:
            return {rule["RuleArn"]: rule["Actions"] for page in pages for rule in page["Rules"]}
        except self._elb.exceptions.RuleNotFoundException:  # one that is gone fails the whole call
            if len(arns) == 1:
                return {}
            return {arn: actions for one in arns for arn, actions in self._actions([one]).items()}

    def _modify(self, arn: str, actions: list[dict[str, Any]]) -> str:
        try:
            self._elb.modify_rule(RuleArn=arn, Actions=actions)
        except Exception as error:
            return told(error)
        return ""


def _target(described: Target) -> Target:
    zone = {"AvailabilityZone": _OUTSIDE} if described.get("AvailabilityZone") == _OUTSIDE else {}
    return {"Id": described["Id"], "Port": described["Port"], **zone}


def weighted(actions: list[dict[str, Any]], weights: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return a rule's whole action list, which ModifyRule replaces, with the weights of some target groups changed."""
    changed = copy.deepcopy(actions)
    for action in changed:
        for group in action.get("ForwardConfig", {}).get("TargetGroups", []):
            group["Weight"] = weights.get(group["TargetGroupArn"], group.get("Weight", 1))
        if "AuthenticateOidcConfig" in action:
            action["AuthenticateOidcConfig"]["UseExistingClientSecret"] = True  # AWS never tells the secret
    return changed
