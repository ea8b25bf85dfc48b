"""A whole migration under traffic, on the real engine: the old cluster alone, the new one beside it, the old one gone.

Owns the play: each act's edit and update, while clients ask. Refuses to own the acts (acts.py), what is a fault in one
(outcome.py), the emulated AWS (sandbox.py), the clients (load.py) and how progress is shown.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cutover.engine.run import watch
from cutover.rules.run import Run
from rehearsal.play import stackfile
from rehearsal.play.acts import Act, acts, acts_beside_others, many_pods
from rehearsal.play.answers import Answer, by_step, tally, telling
from rehearsal.play.beforehand import prepare
from rehearsal.play.brownfield import WHO
from rehearsal.play.destinations import destinations
from rehearsal.play.elsewhere import standing
from rehearsal.play.history import tell_the_past
from rehearsal.play.load import Load, Names, ask, records
from rehearsal.play.outcome import NO_KILL, Outcome, losses, plan_faults, rate_faults, share_faults, unseen
from rehearsal.play.waiting import until, until_healthy
from rehearsal.world.process import PROPAGATION_SECONDS
from settings.values import order_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from rehearsal.engine.sandbox import Sandbox
    from rehearsal.play.answers import Tally
    from rehearsal.play.destinations import Destination

_DAY = 3.0  # times the requests of now came by day, which the old cluster has carried for weeks
_QUIET_BUCKETS, _BUSY_BUCKETS = 4, 30  # five minutes each, of the past that the gate looks at
_MOVING = " (moving)"


class Rehearsal:
    """A migration from the oldest to the newest cluster of a stack file, under ``rate`` requests a second.

    ``hold`` is how many seconds each act is looked at after its move. The sandbox must have a world.
    """

    def __init__(self, sandbox: Sandbox, stack: str, *, rate: float = 200.0, hold: float = 4.0) -> None:
        self._sandbox = sandbox
        self._name = stack
        self._hold = hold
        self._stack = sandbox.stack(stack)
        self._config, self.otherwise = prepare(sandbox, stack)
        self._old = min(self._config["eks-cutover:clusters"], key=order_of)
        self._rate = rate
        self._names = Names(sandbox.store, *_dns(sandbox))
        every = destinations(self._config)
        self._to = [to for to in every if not to.expects]
        cut = stackfile.routes(self._config)
        self._strangers = [to for to in every if to.expects and to.route in cut]
        self._load = Load(self._names, every, rate=rate)

    @property
    def answers(self) -> list[Answer]:
        """Everything that clients saw."""
        return self._load.answers

    def play(self, but: Collection[str] = ()) -> Iterator[Outcome]:
        """Play the acts, ``but`` for those with these titles, and yield how each went.

        Ends after the first act with faults: what would follow would rest on them.
        """
        with standing(self._sandbox, self._config) as there:
            if there:
                every = acts_beside_others(self._config, there[0], self._name)
                try:
                    self._await_answers(WHO)
                except TimeoutError as late:
                    yield self._stopped(every[0], time.time(), str(late))
                    return
                stood, last = [one.standing() for one in there], None
                for last in self._under_load([act for act in every if act.title not in but]):
                    yield last
                if last and not last.faults and [one.standing() for one in there] != stood:
                    changed = "what others own is not what it was: load balancer, rules, groups, records or clusters"
                    yield replace(last, title="what stood before", faults=(changed,))
                return
            first, *others = (act for act in acts(self._config, self._name) if act.title not in but)
            yield (outcome := self._play(first, {}))
            if outcome.faults:
                return
            try:
                until_healthy(self._sandbox, self._config, self._old, many_pods(self._config))
                self._await_answers(self._old)
            except TimeoutError as late:
                yield replace(outcome, title="the first answers", faults=(str(late),))
                return
            self._remember()
            yield from self._under_load(others)

    def _under_load(self, these: Sequence[Act]) -> Iterator[Outcome]:
        """Play acts while clients ask, and yield how each went, and what was seen of them late."""
        start, kills = shared_objects(self._sandbox), list[tuple[str, float]]()
        outcome: Outcome | None = None
        with self._load:
            for act in these:
                yield (outcome := self._play(act, start))
                if outcome.faults:
                    return
                kills.append((act.dying, outcome.began))
        if outcome is None:
            return
        if slow := rate_faults(self._load.asked, self._rate):
            yield replace(outcome, title="the rate of requests", faults=tuple(slow))
            return
        following = zip(these, [*kills[1:], NO_KILL], strict=True)
        if late := [fault for act, kill in following for fault in losses(act, *self._seen(act), kill)]:
            yield replace(outcome, title="answers that came last", faults=tuple(late))

    def _await_answers(self, of: str) -> None:
        """Wait until every kind of client is answered.

        :raises TimeoutError: one is not. The text says what is wrong
        """
        failed: list[Answer] = []

        def answer() -> bool:
            failed[:] = [one for one in (ask(self._names, to) for to in self._to) if one.failed]
            return not failed

        until(f"{of} answers", answer, lambda: "; ".join(one.told for one in failed))

    def _remember(self) -> None:
        """Let CloudWatch know what the old cluster carried by day: it is a quiet hour now."""
        routes = [to.route for to in self._to]

        def rates(route: str) -> list[float]:
            rate = self._rate * routes.count(route) / len(routes)
            return [rate] * _QUIET_BUCKETS + [_DAY * rate] * _BUSY_BUCKETS

        tell_the_past(self._sandbox, self._old, many_pods(self._config), rates)

    def _play(self, act: Act, start: Mapping[str, str]) -> Outcome:
        began = time.time()
        self._load.enter(act.title + _MOVING)
        try:
            act.before(self._sandbox)
        except TimeoutError as late:
            return self._stopped(act, began, str(late))
        stackfile.edit(self._sandbox.project, self._name, act.edit)
        run = watch(self._stack.up)
        time.sleep(PROPAGATION_SECONDS)
        self._load.enter(act.title)
        if start:  # clients ask
            self._rest(act)
        moving, held = self._seen(act)
        faults = [*plan_faults(act, run), *losses(act, moving, held), *self._preview_faults(act)]
        if start:  # clients ask
            faults += share_faults(act, held, self._to)
        same = not start or shared_objects(self._sandbox) == start
        if not same:
            faults.append("load balancers or DNS records are not those of the start")
        return Outcome(
            title=act.title,
            run=run,
            faults=tuple(faults),
            same_for_clients=same,
            weights=act.weights,
            began=began,
            moving=moving,
            seen=held,
        )

    def _rest(self, act: Act) -> None:
        """Let the weights rest until all routes and clusters with a weight have answered, or one clearly does not."""
        time.sleep(self._hold)
        routes = {to.route for to in self._to}

        def enough() -> bool:
            held = self._seen(act)[1]
            return routes <= held.shares.keys() and (not unseen(act, held) or held.requests >= telling(act.weights))

        with suppress(TimeoutError):  # who answered nobody is judged with the rest
            until("enough is answered", enough, str)

    def _stopped(self, act: Act, began: float, why: str) -> Outcome:
        """Return how an act went that could not begin."""
        moving, held = self._seen(act)
        return Outcome(
            title=act.title,
            run=Run((), (), 0.0, why),
            faults=(why,),
            same_for_clients=True,
            weights=act.weights,
            began=began,
            moving=moving,
            seen=held,
        )

    def _seen(self, act: Act) -> tuple[Tally, Tally]:
        """Return what clients have seen of an act so far: while it moved, and after that."""
        seen = by_step(self._load.answers)
        return seen.get(act.title + _MOVING, tally(())), seen.get(act.title, tally(()))

    def _preview_faults(self, act: Act) -> list[str]:
        if not act.preview:
            return []
        preview = self._config.get("eks-cutover:preview", {})
        name, secret = preview.get("header", "X-Cutover-Cluster"), preview.get("secret")
        value = f"{act.preview}.{secret}" if secret else act.preview

        def answers(to: Sequence[Destination]) -> list[Answer]:
            return [ask(self._names, replace(one, headers={**one.headers, name: value})) for one in to]

        missed = [a for a in answers(self._to) if a.cluster != act.preview]
        passed = [a for a in answers(self._strangers) if a.failed]
        return [
            *(f"the preview header did not reach {act.preview}: it was {a.told}" for a in missed),
            *(f"the preview header is a way around the login: it was {a.told}" for a in passed),
        ]


def shared_objects(sandbox: Sandbox) -> dict[str, str]:
    """Return what clients know of the stack, by name: load balancer ARNs, and where each DNS name points."""
    balancers = sandbox.aws("elbv2").describe_load_balancers()["LoadBalancers"]
    found: dict[str, str] = {balancer["LoadBalancerName"]: balancer["LoadBalancerArn"] for balancer in balancers}
    for record in (record for one in _dns(sandbox) for record in records(one)):
        if "AliasTarget" in record:
            found[record["Name"]] = record["AliasTarget"]["DNSName"]
    return found


def _dns(sandbox: Sandbox) -> list[Any]:
    return [sandbox.aws("route53", account=account) for account in sandbox.accounts]
