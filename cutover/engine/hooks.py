"""The gate at the engine: hooks on every weighted rule, which no preview, update, `--target` or destroy goes around.

Owns when the gate is asked, and that it is asked once for all routes. Refuses to own the rule (gate.py) and the reads
(live.py). Components do not know it: it is bound by a transform (binding.py).

The names of the hooks stay in the state of every rule. A program that no longer registers one cannot delete the rule:
never rename them.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi
from pulumi import ResourceHook, ResourceHookBinding, ResourceHookOptions, ResourceOptions

from cutover.aws.account import read
from cutover.aws.live import Live
from cutover.aws.session import session
from cutover.calls import OutsideError
from cutover.engine.unsealed import unsealed
from cutover.rules.found import TargetGroup
from cutover.rules.gate import REFUSES, grounds, held, judge, takers
from cutover.rules.giver import barred, givers, listed, opened, unanswered
from cutover.rules.listener import Rule
from cutover.rules.shift import said
from settings.imports import LISTENER_RULE
from settings.owner import CLUSTER_TAG, ROUTE_TAG
from settings.values import order_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pulumi import ResourceHookArgs, ResourceTransformArgs

    from cutover.engine.binding import Hooked
    from cutover.rules.account import Account
    from cutover.rules.found import Found
    from cutover.rules.move import Hold, Move, Refusal
    from settings import Settings

_T = TypeVar("_T")
_CREATE, _UPDATE, _DELETE = "eks-cutover-gate-create", "eks-cutover-gate-update", "eks-cutover-gate-delete"

_OLD_SECONDS = 120.0  # after which a judgement is made again, unless rules move by it already


class RefusedError(Exception):
    """The gate refuses. The engine shows the text under the rule, and stops."""


def gate(settings: Settings, refused: Collection[str] = ()) -> Hooked:
    """Return what puts the gate before every creation, change and deletion of a weighted rule.

    ``refused`` are names of rules, as they become known, by which the preview fails already.
    """
    asked = _Gate(settings, lambda: Live(session(settings.aws), settings.owner))

    async def before_write(args: ResourceHookArgs) -> None:
        if args.name not in refused:
            await asked.before_write(await unsealed(args))

    async def before_delete(args: ResourceHookArgs) -> None:
        await asked.before_delete(await unsealed(args))

    also_in_previews = ResourceHookOptions(on_dry_run=True)
    hooks = ResourceHookBinding(
        before_create=[ResourceHook(_CREATE, before_write, also_in_previews)],
        before_update=[ResourceHook(_UPDATE, before_write, also_in_previews)],
        before_delete=[ResourceHook(_DELETE, before_delete, also_in_previews)],
    )

    opts = ResourceOptions(hooks=hooks)

    def gated(args: ResourceTransformArgs) -> ResourceOptions | None:
        tags: Any = args.props.get("tags") or {}
        weighted = args.type_ == LISTENER_RULE and ROUTE_TAG in tags and CLUSTER_TAG not in tags
        return opts if weighted else None

    return gated


class _Gate:
    def __init__(self, settings: Settings, connect: Callable[[], Live]) -> None:
        self._settings = settings
        self._connect = connect
        self._reading: asyncio.Future[Account] | None = None
        self._showing: asyncio.Future[Found] | None = None
        self._asked = 0.0  # when that was, on the monotonic clock
        self._moving = False
        # Threads of its own: those of the loop are taken by registrations, which wait for the engine, which may have no
        # step to spare but the one that waits for this gate (`--parallel 1`).
        self._threads = ThreadPoolExecutor(2, "gate")

    async def before_write(self, args: ResourceHookArgs) -> None:
        """Refuse the rule's new weights if they, or those of any other route, may not be."""
        inputs = args.new_inputs or {}
        route = inputs["tags"][ROUTE_TAG]
        override, weights = self._settings.gate.override, self._settings.weights_of(route)
        if override and override.weights == weights:
            if (found := await self._found_if_any()) and (unknown := await self._unknown(route, args, found)):
                raise RefusedError(unknown + _stopped())
            if refusals := held(await self._hold_if_any(), route, weights, self._settings.stack):
                raise RefusedError(_explained(route, refusals))
            pulumi.log.warn(f"{route}: the gate is overridden for {said(weights)}. Reason: {override.reason}")
            return
        try:
            account, hold = await self._account(), await self._hold()
            unknown = await self._unknown(route, args, account.found)
        except OutsideError as error:
            raise _unread(error) from error
        if unknown:
            raise RefusedError(unknown + _stopped())
        gives = self._givers(account.found, route)
        page = _page(account.found, route)
        own = [] if page and _same_actions(args) else [await self._own_move(account, route, inputs)]
        moves = [*own, *self._other_moves(account, route)]
        if refusals := judge(moves, account.policy, hold, self._settings.stack):
            raise RefusedError(_explained(route, refusals))
        if page:
            does = "takes that away" if own else "leaves that as it is"
            pulumi.log.warn(f"{route}: its rule forwards to no cluster now ({page}). This update {does}.")
        for ground in [ground for move in own for ground in grounds(move, account.policy)]:
            pulumi.log.info(ground)
        for rule in gives:
            pulumi.log.info(f"{route}: it takes requests that {rule} answers now. live: false gives them back.")
        self._moving |= any(map(takers, own)) and not pulumi.runtime.is_dry_run()

    def _givers(self, found: Found, route: str) -> list[Rule]:
        """Return somebody else's rules from which a route takes that becomes live; none where it may not take."""
        gives = givers(self._settings, found, route) if route not in found.rules else []
        login = self._settings.routes[route].authenticate
        if why := barred(gives, asks=login is not None and login.keeps_out):
            raise RefusedError(
                f"{REFUSES}: {route} may not become live: {why}. Let the route ask too (routes.{route}.authenticate), "
                f"or keep live: false, and leave these requests to that rule.{_stopped()}"
            )
        return gives

    def _other_moves(self, account: Account, route: str) -> list[Move]:
        """Return the moves of all other routes, but for those whose rule answers itself: its own update moves them."""
        override, wanted = self._settings.gate.override, self._settings.weights_of
        return [
            account.move(name, wanted(name))
            for name, other in self._settings.routes.items()
            if other.live and name != route and not (override and override.weights == wanted(name))
            if not _page(account.found, name)
        ]

    async def before_delete(self, args: ResourceHookArgs) -> None:
        """Refuse to delete the rule of a route that is live in AWS, unless the override names the route."""
        route = (args.old_inputs or {})["tags"][ROUTE_TAG]
        override = self._settings.gate.override
        if override and route in override.remove_routes:
            pulumi.log.warn(f"{route}: the gate lets its rule go. Reason: {override.reason}")
            return
        try:
            found = (await self._account()).found
            stands = route in found.rules or await self._apart(lambda: self._connect().stands(args.id))
            before = args.old_inputs or {}
            back = _behind(found, before) if stands else None
            if back is not None:
                await self._check_given_back(route, back, found, asks=_asks(before["actions"]))
                return
        except OutsideError as error:
            raise _unread(error) from error
        if stands:
            raise RefusedError(
                f"{REFUSES}: {route} is live, and without its weighted rule its requests would be answered with "
                f"404. To take it away, write gate.override: {{removeRoutes: [{route}], reason: ...}}.{_stopped()}"
            )

    async def _check_given_back(self, route: str, back: Sequence[Rule], found: Found, *, asks: bool) -> None:
        """Refuse to give a route's requests back to rules that would not answer them, or while a hold stands.

        Where it ``asks`` who a user is, neither to one that does not.

        :raises OutsideError: AWS could not be read
        """
        if hold := await self._hold():
            cure = f"Release the hold once the reason is gone: cutover release -s {self._settings.stack}"
            raise RefusedError(f"{REFUSES}: {route}: {hold} holds the weights. {cure}.{_stopped()}")
        groups = [found.strangers[arn] for rule in back for arn in rule.forwards if arn in found.strangers]
        health = await self._apart(lambda: self._connect().health(groups))
        if why := unanswered(back, health) or (asks and opened(back)):
            raise RefusedError(
                f"{REFUSES}: {route} is live, and what would answer its requests without its weighted rule is of no "
                f"use: {why}. Mend that, or write gate.override: {{removeRoutes: [{route}], reason: ...}}.{_stopped()}"
            )
        pulumi.log.info(f"{route}: its requests go back to {listed(back)}.")

    async def _hold(self) -> Hold | None:
        """Read the hold anew: an update that makes a cluster takes long enough for somebody to leave one meanwhile."""
        return await self._apart(lambda: self._connect().hold())

    async def _hold_if_any(self) -> Hold | None:
        """Read the hold; where it cannot be read there is none, since an override is for such a night, too."""
        try:
            return await self._hold()
        except OutsideError as error:
            pulumi.log.warn(f"nothing tells whether a rollback holds the weights: {error}")
            return None

    async def _found_if_any(self) -> Found | None:
        """Return what AWS shows, read once for all rules that are overridden; nothing where it cannot be read."""
        if self._showing is None:
            self._showing = self._apart(lambda: self._connect().traffic())
        try:
            return await asyncio.shield(self._showing)
        except OutsideError as error:
            pulumi.log.warn(f"nothing tells whether a weighted rule stands that no tag shows: {error}")
            return None

    async def _unknown(self, route: str, args: ResourceHookArgs, found: Found) -> str:
        """Return why a route may not move whose rule stands unseen, or does what nobody knows of; else nothing.

        :raises OutsideError: AWS could not be read
        """
        inputs = args.new_inputs or {}
        listener = inputs.get("listenerArn")
        if args.old_inputs or route in found.rules or not isinstance(listener, str):
            return unshown(route, args.old_inputs, found) or closed(route, args, found, self._settings.stack)
        # The state may be lost, or older than the rule: the groups tell what the rule's tags do not.
        sent = [group["arn"] for group in _sent(inputs)]
        own = {arn for arn in sent if isinstance(arn, str)} | {
            arn for arn, group in found.groups.items() if group.route == route
        }
        return unmarked(route, await self._apart(lambda: self._connect().unmarked(listener, own)))

    async def _account(self) -> Account:
        """Return the one reading of AWS; where no rule has moved yet, a new one in place of one that is old.

        An update that makes a cluster takes a quarter of an hour, and targets die in less. Between two rules nothing is
        read anew: half of a move would be judged, and the other half could be refused.
        """
        old = time.monotonic() - self._asked > _OLD_SECONDS and not self._moving
        if self._reading is None or (old and self._reading.done()):
            self._asked = time.monotonic()
            self._reading = self._apart(lambda: read(self._connect(), self._settings))
        return await asyncio.shield(self._reading)

    def _apart(self, ask: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def _own_move(self, account: Account, route: str, inputs: Mapping[str, Any]) -> Move:
        """Return the move that the engine is about to make, by the ARNs that it is about to send."""
        groups = _sent(inputs)
        clusters = sorted(self._settings.weights_of(route), key=order_of)
        wanted: dict[str, int] = {}
        unknown: list[str] = []
        unseen: list[TargetGroup] = []
        for cluster, group in zip(clusters, groups, strict=True):
            arn, weight = group["arn"], int(group["weight"])
            if not isinstance(arn, str):
                unknown += [cluster] if weight else []
                continue
            wanted[arn] = weight
            if weight and arn not in account.health:
                unseen.append(account.found.groups.get(arn) or TargetGroup(arn, route, cluster, checked=True))
        rule = account.found.rules.get(route)
        serving = [
            account.found.groups[arn]
            for arn, weight in (rule.weights if rule else {}).items()
            if weight and arn in account.found.groups
        ]
        unseen += [group for group in serving if group.arn not in account.health and group.arn not in wanted]
        # What is not in the reading was made by this very update, or is replaced by it.
        new = await self._apart(lambda: self._connect().health(unseen)) if unseen else {}
        return account.move_to(route, wanted, unknown=unknown, unseen=new)


def unshown(route: str, old_inputs: Mapping[str, Any] | None, found: Found) -> str:
    """Return why a route may not move whose weighted rule the state knows and AWS does not show; else nothing."""
    if not old_inputs or route in found.rules:
        return ""
    return (
        f"{REFUSES}: the state knows a weighted rule of {route}, and none in this account and region shows itself by "
        "its tags, so nothing tells what it sends where, and any weights would pass. Either its tags, or its "
        "load balancer's, were taken off: put them back (aws elbv2 add-tags), as `pulumi stack export` has them. Or it "
        "was deleted: `pulumi refresh`. Or the credentials are of another account."
    )


def unmarked(route: str, rules: Sequence[str]) -> str:
    """Return why a route may have no first rule while others, by ARN, forward to its groups; else nothing."""
    if not rules:
        return ""
    return (
        f"{REFUSES}: the state knows no weighted rule of {route}, and {', '.join(rules)} forwards to its target groups "
        "without a tag that shows whose it is. So nothing tells what is served already, and any weights would pass. If "
        f"it is the route's, put its tags back (aws elbv2 add-tags) and take it into the state (pulumi import); else "
        "delete it."
    )


def closed(route: str, args: ResourceHookArgs, found: Found, stack: str) -> str:
    """Return why a rule may not be written that forwards to nothing, which the state does not know; else nothing.

    A refresh takes it into the state: then the update that takes it away is one that somebody has asked for.
    """
    page = _page(found, route)
    if not page or _same_actions(args) or _known(args):
        return ""
    return (
        f"{REFUSES}: the weighted rule of {route} is there and forwards to no cluster ({page}): somebody has given it "
        "another action, such as a maintenance page, and the state does not know of it. This update would take it away "
        f"unasked. To keep it, take the change of {route} back. Once it may go: pulumi up --refresh -s {stack}, for "
        "which its clusters are judged."
    )


def _behind(found: Found, inputs: Mapping[str, Any]) -> list[Rule] | None:
    """Return others' rules that answer what a weighted rule does, once it is gone; None on a listener of the stack."""
    listener = next((one for one in found.listeners if one.arn == inputs.get("listenerArn")), None)
    if listener is None:
        return None
    values: dict[str, Sequence[str]] = {}
    for condition in inputs["conditions"]:
        values |= {kind: one["values"] for kind, one in condition.items() if isinstance(one, dict)}
    asks = Rule(arn="", place=None, hosts=values.get("hostHeader", ()), paths=values.get("pathPattern", ()))
    return listener.answering(int(inputs["priority"]), asks)


def _sent(inputs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the target groups that a rule is about to forward to, whatever stands before its forward."""
    return [group for action in inputs["actions"] if "forward" in action for group in action["forward"]["targetGroups"]]


def _asks(actions: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a rule lets nobody in without a login."""
    logins = [action.get(key) for action in actions for key in ("authenticateOidc", "authenticateCognito")]
    return any(login and login.get("onUnauthenticatedRequest") != "allow" for login in logins)


def _page(found: Found, route: str) -> str:
    """Return what a route's rule does in place of forwarding, if there is one that does."""
    return found.rules[route].instead if route in found.rules else ""


def _known(args: ResourceHookArgs) -> bool:
    """Tell whether the state knows a rule as one that does not forward."""
    actions: Any = (args.old_outputs or {}).get("actions")
    return bool(actions) and all(action.get("type") != "forward" for action in actions)


def _same_actions(args: ResourceHookArgs) -> bool:
    """Tell whether an update leaves alone what a rule does, in the state and so in AWS."""
    before, after = args.old_inputs or {}, args.new_inputs or {}
    return not _known(args) and before.get("actions") == after["actions"]


def _explained(route: str, refusals: list[Refusal]) -> str:
    own = [str(refusal) for refusal in refusals if refusal.route == route]
    others = [str(refusal) for refusal in refusals if refusal.route != route]
    begin = f"{REFUSES}, and no route moves" if own else f"{route} could move, but no route moves while one may not"
    return "\n  ".join([f"{begin}:", *own, *others]) + _stopped()


def _unread(error: OutsideError) -> RefusedError:
    return RefusedError(
        f"{REFUSES}: AWS could not be read ({error}), so nothing tells whether the move is safe. Mend that, and "
        f"run the same again.{_stopped()}"
    )


def _stopped() -> str:
    if pulumi.runtime.is_dry_run():
        return ""
    return (
        "\n  The rest of this update has stopped too. What was done stays; once this is cured, the next `pulumi up` "
        "goes on from there."
    )
