"""The emulated AWS API: moto, and in front of it what moto does not do about load balancing.

Owns the answers to RegisterTargets, DeregisterTargets and DescribeTargetHealth (moto knows a target by its id alone and
calls every one healthy), which groups a load balancer has (moto misses those of a changed rule), that DescribeTags
fails where one of its resources is gone, the rate limits of the ELB API, and faults to play. Refuses to own everything
else that AWS answers, target groups and rules too: those are moto's, and what moto does not know is that of eks_api.py,
quotas.py, rights.py and cloudwatch.py; which actions were asked for is asked.py's.

A fault is a document of the kind ``fault`` in the store, of any key. Its ``service`` (as boto3 names it) and ``action``
tell which calls it hits; ``after`` is how many of them pass first (0 if left out), ``remaining`` how many fail then,
each with ``status``, ``code`` and ``message``. With the last one the document is gone. Services of the query and JSON
protocols can be hit.

A client whose user agent has ``rehearsal-internal`` is a part of AWS, such as the load balancer: no limit and no fault
is for it. One that has ``rehearsal-provider`` is the emulated provider, which asks what AWS knows by itself: it has
faults, and no limits. What is done with a role of its own, which says ``rehearsal-outside``, is not noted.
"""

from __future__ import annotations

import ipaddress
import json
import re
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from moto.core import responses, utils
from moto.elbv2.models import elbv2_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from werkzeug.wrappers import Response

from rehearsal.cloud import cloudwatch, logins, longest_delay, quotas, rights, trust
from rehearsal.cloud.asked import Asked
from rehearsal.cloud.bucket import Bucket
from rehearsal.cloud.call import Call, Refusal, call_of
from rehearsal.cloud.eks_api import EksApi
from rehearsal.cloud.targets import DESCRIPTIONS, Target, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from moto.elbv2.models import FakeTargetGroup

    from rehearsal.cloud.store import Store

FAULT = "fault"

READS = (40, 10)
REGISTRATIONS = (20, 4)
WRITES = (20, 3)
"""Requests at once, and added each second. Of these AWS documents the reads; the others are what the AWS Load Balancer
Controller sets itself by default so that AWS will not have to."""

_ELB = "elbv2"
_ASKED = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING")
_FIRST_OF_SERVER = 500
_NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
_GROUP_ARN = re.compile(r"arn:[^:]+:elasticloadbalancing:(?P<region>[^:]+):(?P<account>\d{12}):targetgroup/.+")
_MEMBER = re.compile(r"Targets\.member\.(?P<index>\d+)\.(?P<field>\w+)")
_GONE = {
    "loadbalancer": "LoadBalancerNotFound",
    "listener": "ListenerNotFound",
    "listener-rule": "RuleNotFound",
    "targetgroup": "TargetGroupNotFound",
}
_backend_for_host = cache(DomainDispatcherApplication.get_backend_for_host)
_methods = cache(utils.method_names_from_class)
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")


def complete_moto() -> None:
    """Let moto, in this process, take and tell what AWS does and moto does not.

    It also looks no more, at every request, through its own folder for a service that has the name of the host, and
    through the service for what it can do.
    """
    cloudwatch.install()
    logins.install()
    longest_delay.install()
    quotas.install()
    rights.install()
    DomainDispatcherApplication.get_backend_for_host = _backend_for_host
    responses.method_names_from_class = _methods  # pyright: ignore[reportPrivateImportUsage]


class Api:
    """A WSGI application over ``moto``, with the rehearsal's ``store`` for targets, nodes and faults."""

    def __init__(self, moto: WSGIApplication, store: Store, now: Callable[[], float] = time.monotonic) -> None:
        self._moto = moto
        self._eks = EksApi(moto, store)
        self._asked = Asked(store)
        self._store = store
        self._now = now
        self._targets = Targets(store)
        self._answering = threading.Lock()  # what one thread adds to moto, another may be walking over
        self._buckets: dict[tuple[str, tuple[int, int]], Bucket] = {}
        self._answers: dict[str, Callable[[Call], Any]] = {
            "RegisterTargets": self._register,
            "DeregisterTargets": self._deregister,
            "DescribeTargetHealth": self._health,
        }
        complete_moto()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, one after the other."""
        with self._answering:
            return self._respond(environ, start_response)

    def _respond(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        call = call_of(environ)
        if call is None:
            return self._moto(environ, start_response)
        if call.noted:
            self._asked.note(call.service, call.action, *(environ[key] for key in _ASKED))
        try:
            self._limit(call)
            self._play_fault(call)
            _refuse_stranger(call)
            if call.service == "eks":
                return self._eks(environ, start_response)
            if call.service != _ELB or call.action not in self._answers:
                if call.service == _ELB and call.action == "DescribeTargetGroups":
                    _attach_groups(call.region)
                if call.service == _ELB and call.action == "DescribeTags":
                    _refuse_gone(call)
                answer = self._moto(environ, start_response)
                if call.service == _ELB and call.action == "DeleteTargetGroup":
                    self._forget_deleted(call)
                return answer
            response = _answer(call.action, self._answers[call.action](call))
        except Refusal as refusal:
            response = _error(refusal, in_json=call.json)
        return response(environ, start_response)

    def _limit(self, call: Call) -> None:
        if call.service != _ELB or not call.limited:
            return
        if call.action.startswith("Describe"):
            rate = READS
        else:
            rate = REGISTRATIONS if call.action in {"RegisterTargets", "DeregisterTargets"} else WRITES
        bucket = self._buckets.setdefault((call.region, rate), Bucket(*rate, self._now()))
        if not bucket.take(self._now()):
            raise Refusal("Throttling", "Rate exceeded")

    def _play_fault(self, call: Call) -> None:
        for name, fault in self._store.all(FAULT).items() if call.faulty else ():
            if (fault["service"], fault["action"]) == (call.service, call.action) and self._use_up(name):
                raise Refusal(fault["code"], fault["message"], fault["status"])

    def _use_up(self, name: str) -> bool:
        """Count one call against a fault, and tell whether it is hit."""
        hit = False

        def count(fault: dict[str, Any] | None) -> dict[str, Any] | None:
            nonlocal hit
            if fault is None:
                return None
            waiting = fault.get("after", 0)
            if waiting:
                return {**fault, "after": waiting - 1}
            hit = True
            return {**fault, "remaining": fault["remaining"] - 1} if fault["remaining"] > 1 else None

        self._store.change(FAULT, name, count)
        return hit

    def _register(self, call: Call) -> None:
        group = _group(call)
        wanted = _targets(call, group)
        for target in wanted:
            self._refuse_impossible(group.target_type, target)
        self._targets.register(group.arn, [(target.id, target.port, target.zone) for target in wanted])

    def _refuse_impossible(self, target_type: str, target: Target) -> None:
        if target_type == "ip":
            try:
                ipaddress.ip_address(target.id)
            except ValueError:
                raise Refusal("ValidationError", f"The IP address '{target.id}' is not a valid IPv4 address") from None
            return
        if not _INSTANCE.fullmatch(target.id):
            raise Refusal("ValidationError", f"Instance ID '{target.id}' is not valid")
        if target.zone:
            raise Refusal(
                "ValidationError",
                "You cannot specify an Availability Zone for a target group with target type instance",
            )
        if self._store.get("node", target.id) is None:
            raise Refusal(
                "InvalidTarget",
                f"The following targets are not in a running state and cannot be registered: '{target.id}'",
            )

    def _deregister(self, call: Call) -> None:
        group = _group(call)
        delay = float(group.attributes["deregistration_delay.timeout_seconds"])
        self._targets.deregister(group.arn, [(target.id, target.port) for target in _targets(call, group)], delay)

    def _health(self, call: Call) -> Any:
        group = _group(call)
        attached = _attached(group.arn, call.region)
        registered = {(target.id, target.port): target for target in self._targets.of(group.arn)}
        for key, target in registered.items():
            if not attached and target.state != "draining":
                registered[key] = _unused(target, "Target.NotInUse")
        shown = [
            registered.get((asked.id, asked.port), _unused(asked, "Target.NotRegistered"))
            for asked in _targets(call, group)
        ]
        every = shown or list(registered.values())
        return {"TargetHealthDescriptions": [_described(target, group.health_check_port) for target in every]}

    def _forget_deleted(self, call: Call) -> None:
        try:
            _group(call)
        except Refusal:
            self._targets.forget(call.parameters.get("TargetGroupArn", ""))


def _refuse_stranger(call: Call) -> None:
    if (call.service, call.action) == ("sts", "AssumeRole") and (why := trust.refusal(call.account, call.parameters)):
        raise Refusal("AccessDenied", why, 403)


def _group(call: Call) -> FakeTargetGroup:
    arn = call.parameters.get("TargetGroupArn", "")
    parts = _GROUP_ARN.fullmatch(arn)
    if parts is None:
        raise Refusal("ValidationError", f"'{arn}' is not a valid target group ARN")
    if parts["account"] != call.account:
        raise Refusal(
            "AccessDenied",
            f"User: {call.account} is not authorized to perform: elasticloadbalancing:{call.action} on resource: {arn}",
            403,
        )
    group = elbv2_backends[parts["account"]][call.region].target_groups.get(arn)
    if group is None:
        raise Refusal("TargetGroupNotFound", f"Target groups '{arn}' not found")
    return group


def _targets(call: Call, group: FakeTargetGroup) -> list[Target]:
    """Return the targets that a call names; one without a port means the port of the group."""
    members: dict[int, dict[str, str]] = defaultdict(dict)
    for name, value in call.parameters.items():
        if member := _MEMBER.fullmatch(name):
            members[int(member["index"])][member["field"]] = value
    return [
        Target(group.arn, named["Id"], int(named.get("Port", group.port)), named.get("AvailabilityZone", ""))
        for _, named in sorted(members.items())
    ]


def _attached(arn: str, region: str) -> bool:
    """Tell whether a rule or the default action of a listener forwards to a group, be it with weight 0."""
    return bool(_balancers(arn.split(":")[4], region).get(arn))


def _balancers(account: str, region: str) -> dict[str, list[str]]:
    """Return the load balancers of every group that a rule or a default action forwards to, by ARN."""
    found: dict[str, list[str]] = {}
    for balancer in list(elbv2_backends[account][region].load_balancers.values()):
        rules = [rule for listener in list(balancer.listeners.values()) for rule in list(listener.rules.values())]
        for arn in {arn for rule in rules for action in rule.actions for arn in _forwards(action.data)}:
            found.setdefault(arn, []).append(balancer.arn)
    return found


def _attach_groups(region: str) -> None:
    """Tell moto what it forgets: that a changed rule forwards to other groups than before."""
    for account, regions in list(elbv2_backends.items()):
        balancers = _balancers(account, region)
        for group in list(regions[region].target_groups.values()):
            group.load_balancer_arns = balancers.get(group.arn, [])


def _refuse_gone(call: Call) -> None:
    """Fail all of DescribeTags where one of its resources is gone, as AWS does; moto answers it without tags."""
    for name, arn in call.parameters.items():
        if not name.startswith("ResourceArns.member."):
            continue
        account, _, kind = arn.split(":", 4)[4].partition(":")
        kind = kind.partition("/")[0]
        backend = elbv2_backends[account][call.region]
        balancers = list(backend.load_balancers.values())
        listeners = [listener for balancer in balancers for listener in list(balancer.listeners.values())]
        rules = [rule for listener in listeners for rule in list(listener.rules.values())]
        there = {*backend.target_groups, *backend.load_balancers, *(one.arn for one in [*listeners, *rules])}
        if arn not in there:
            raise Refusal(_GONE[kind], f"'{arn}' not found")


def _forwards(action: Mapping[str, Any]) -> set[str]:
    groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
    return {action.get("TargetGroupArn", ""), *(group["TargetGroupArn"] for group in groups)}


def _unused(target: Target, reason: str) -> Target:
    return replace(target, state="unused", reason=reason, description=DESCRIPTIONS[reason])


def _described(target: Target, health_check_port: str | None) -> Any:
    checked = target.port if health_check_port == "traffic-port" else health_check_port
    return {
        "Target": {"Id": target.id, "Port": target.port, "AvailabilityZone": target.zone},
        "HealthCheckPort": checked,
        "TargetHealth": {"State": target.state, "Reason": target.reason, "Description": target.description},
    }


def _answer(action: str, result: Any) -> Response:
    return _xml(f"{action}Response", {f"{action}Result": result or {}, "ResponseMetadata": _request_id()}, 200)


def _error(refusal: Refusal, *, in_json: bool) -> Response:
    if in_json:
        body = json.dumps({"__type": refusal.code, "message": str(refusal)})
        return Response(body, refusal.status, content_type="application/x-amz-json-1.1")
    kind = "Sender" if refusal.status < _FIRST_OF_SERVER else "Receiver"
    error = {"Type": kind, "Code": refusal.code, "Message": str(refusal)}
    return _xml("ErrorResponse", {"Error": error, **_request_id()}, refusal.status)


def _request_id() -> dict[str, str]:
    return {"RequestId": str(uuid.uuid4())}


def _xml(name: str, content: Mapping[str, Any], status: int) -> Response:
    root = ElementTree.Element(name, xmlns=_NAMESPACE)
    _fill(root, content)
    return Response(ElementTree.tostring(root), status, content_type="text/xml")


def _fill(element: ElementTree.Element, content: Any) -> None:
    """Write a structure, a list (as members) or a value; what is empty is left out, as AWS does."""
    if isinstance(content, dict):
        for name, part in content.items():
            if part not in (None, ""):
                _fill(ElementTree.SubElement(element, name), part)
    elif isinstance(content, list):
        for part in content:
            _fill(ElementTree.SubElement(element, "member"), part)
    else:
        element.text = str(content)
