"""A stack that stands and answers clients: both clusters of dev, all traffic on the old one, and a load that flows."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.cloud.targets import Targets
from rehearsal.engine.sandbox import Sandbox
from rehearsal.play import stackfile
from rehearsal.play.destinations import destinations
from rehearsal.play.load import Load, Names, ask
from rehearsal.world.metrics import NAMESPACE, past
from rehearsal.world.process import PROPAGATION_SECONDS
from rehearsal.world.workloads import WORKLOAD
from tests.engine.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

    from rehearsal.engine.executable import Engine
    from rehearsal.play.answers import Answer
    from rehearsal.play.stackfile import Config

OLD, NEW = "v1-35", "v1-36"
PATIENCE_SECONDS = 300.0  # far more than a busy machine takes: it ends what would never end
_RATE = 60.0
_LAST_ANSWERS_SECONDS = 0.5


@dataclass(frozen=True)
class UnderLoad(Standing):
    """A stack whose clients ask for it all the time."""

    load: Load

    @contextmanager
    def noting(self, step: str) -> Generator[list[Answer]]:
        """Fill the list, at the end of a block, with the answers to what clients asked for in it.

        The block lasts until a change of rules that was made in it has counted for a while.
        """
        found: list[Answer] = []
        before = len(self.load.answers)
        self.load.enter(step)
        try:
            yield found
            time.sleep(2 * PROPAGATION_SECONDS)
        finally:
            self.load.enter("")
        time.sleep(_LAST_ANSWERS_SECONDS)
        found += [answer for answer in self.load.answers[before:] if answer.step == step]

    def registered(self, cluster: str) -> int:
        """Return how many targets the groups of a cluster have that do not leave."""
        targets = Targets(self.sandbox.store)
        mine = [group["TargetGroupArn"] for group in self.groups() if cluster in group["TargetGroupName"]]
        return sum(target.state != "draining" for group in mine for target in targets.of(group))

    def until_healthy(self, cluster: str) -> None:
        """Wait until every target group of a cluster has targets, all of them healthy."""
        targets = Targets(self.sandbox.store)
        mine = [group["TargetGroupArn"] for group in self.groups() if cluster in group["TargetGroupName"]]

        def healthy() -> bool:
            return all({target.state for target in targets.of(group)} == {"healthy"} for group in mine)

        until(f"the targets of {cluster} are healthy", healthy)


@contextmanager
def under_load(
    engine: Engine,
    *,
    dead: str = "",
    asked: bool = True,
    speed: float | None = None,
    proven: Collection[str] = (OLD, NEW),
) -> Generator[UnderLoad]:
    """Bring dev up with all traffic on the old cluster, and let clients ask; the pods of the cluster ``dead`` are.

    Where it is not ``asked`` yet, the load is there to be entered. ``speed`` is the sandbox's.
    ``proven`` are the clusters that have carried all traffic lately.
    """
    with Sandbox(engine, PROGRAM, zones=ZONES, world=True, speed=speed) as sandbox:
        config = stackfile.read(sandbox.project, "dev")
        for route in config["eks-cutover:routes"] if dead else ():
            sandbox.store.put(WORKLOAD, f"{dead}|{route}", {"alive": False})
        stackfile.edit(sandbox.project, "dev", weights(100, 0))
        names, to = Names(sandbox.store, sandbox.aws("route53")), destinations(config)
        stack = UnderLoad(sandbox, "dev", sandbox.stack("dev"), Load(names, to, rate=_RATE))
        assert not watch(stack.stack.up).failure
        for cluster in {OLD, NEW} - {dead}:
            stack.until_healthy(cluster)
        until("the stack answers", lambda: not any(ask(names, one).failed for one in to))
        _remember(stack, proven)
        with stack.load if asked else nullcontext():
            yield stack


def _remember(stack: UnderLoad, proven: Collection[str]) -> None:
    """Let CloudWatch know that clusters have carried far more alone: here the gate is asked for other things."""
    now, often = datetime.now(UTC), [10 * _RATE] * 3
    for group in stack.groups():
        if not any(cluster in group["TargetGroupName"] for cluster in proven):
            continue
        rates = [_RATE] * 4 + often if OLD in group["TargetGroupName"] else [0.0] * 7 + often
        points = past(group["LoadBalancerArns"][0], group["TargetGroupArn"], 2, rates, now)
        stack.sandbox.aws("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=points)


def weights(old: int, new: int) -> Callable[[Config], None]:
    """Return the edit of a stack file that gives the clusters these weights."""
    return lambda config: config.update({"eks-cutover:weights": {OLD: old, NEW: new}})


def lost(answers: list[Answer]) -> list[Answer]:
    """Return what clients would call a failure. There must have been answers at all."""
    assert answers
    return [answer for answer in answers if answer.failed]


def until(what: str, holds: Callable[[], bool], every: float = 0.2) -> None:
    """Wait for something. Raises TimeoutError after `PATIENCE_SECONDS`."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"it took too long until {what}")
        time.sleep(every)
