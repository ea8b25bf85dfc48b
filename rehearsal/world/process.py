"""What goes on by itself beside the emulated API: pods, controllers, load balancers and their health checks.

One process beside the emulated API: `python -m rehearsal.world.process` prints "ready" once it has seen what is there,
and ends when its standard input ends. Owns the rhythm of it all. Refuses to own what is done in each beat.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.cloud.eks_documents import CLUSTERS
from rehearsal.cloud.kubernetes.cluster import APP_MESH_CONTROLLER, AUTO_MODE, LOAD_BALANCER_CONTROLLER
from rehearsal.cloud.session import INTERNAL_AGENT
from rehearsal.cloud.store import PATH_VARIABLE, Store
from rehearsal.cloud.targets import Targets
from rehearsal.world import routing_table
from rehearsal.world.balancer import Backends, LoadBalancers
from rehearsal.world.binding_controller import BindingController
from rehearsal.world.controllers import Controllers
from rehearsal.world.health_checks import HealthChecks
from rehearsal.world.mesh_controller import MeshController
from rehearsal.world.metrics import NAMESPACE, POINTS_PER_CALL, Meter, host_counts
from rehearsal.world.routing_table import RoutingTable
from rehearsal.world.workloads import NODE, Workloads, bound_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rehearsal.cloud.targets import Target

SPEED_VARIABLE = "REHEARSAL_SPEED"
"""How many seconds of AWS's time pass in one of ours: for health checks, metrics, and pods that leave."""

PROPAGATION_SECONDS = 3.0
"""After that long a change of rules counts for every request: they are read each second, and held back for one."""

DEFAULT_SPEED = 10.0
_HOLD_BACK_SECONDS = 1.0
_CLUSTERS_SECONDS = 0.5
_CONTROLLERS_SECONDS = 0.1
_TARGETS_SECONDS = 0.2
_METRICS_SECONDS = 60.0  # of AWS's time
_log = logging.getLogger(__name__)


class World:
    """Everything that happens on its own in one rehearsal. ``client`` makes boto3 clients by service."""

    def __init__(self, store: Store, client: Callable[[str], Any], home: str, speed: float) -> None:
        self._store = store
        self._elbv2, self._eks, self._ec2 = client("elbv2"), client("eks"), client("ec2")
        self._cloudwatch = client("cloudwatch")
        self._speed = speed
        self._targets = Targets(store)
        self._meter = Meter()
        self._backends = Backends()
        self._checks = HealthChecks(self._targets, speed)
        self._balancers = LoadBalancers(store, self._backends, self._meter, home)
        self._workloads = Workloads(store, home, speed)
        self._controllers = Controllers(
            store,
            {
                LOAD_BALANCER_CONTROLLER: BindingController,
                AUTO_MODE: BindingController,
                APP_MESH_CONTROLLER: MeshController,
            },
        )
        self._table = RoutingTable()
        self._zones: dict[str, list[str]] = {}
        self._seen: dict[str, list[Target]] = {}
        self._since = datetime.now(UTC)

    async def run(self, ready: Callable[[], None]) -> None:
        """Go on until cancelled; call ``ready`` once what is there has been seen."""
        try:
            await self._apply(await asyncio.to_thread(routing_table.read, self._elbv2))
            ready()
            await asyncio.gather(
                _every(0, self._follow_rules),
                _every(_CLUSTERS_SECONDS, self._follow_clusters),
                _every(_CONTROLLERS_SECONDS, self._step_controllers),
                _every(_TARGETS_SECONDS, self._follow_targets),
                _every(_METRICS_SECONDS / self._speed, self._publish),
            )
        finally:
            self._controllers.close()
            await self._checks.close()
            await self._balancers.close()
            await self._backends.close()
            await self._workloads.close()

    async def _follow_rules(self) -> None:
        try:
            table = await asyncio.to_thread(routing_table.read, self._elbv2)
        finally:
            await asyncio.sleep(_HOLD_BACK_SECONDS)
        await self._apply(table)

    async def _apply(self, table: RoutingTable) -> None:
        await self._balancers.apply(table)
        self._table = table

    async def _follow_clusters(self) -> None:
        self._zones = await asyncio.to_thread(self._zones_by_cluster)
        self._workloads.follow(self._zones, bound_routes(self._store, self._zones, self._table.groups))

    def _zones_by_cluster(self) -> dict[str, list[str]]:
        names: list[str] = self._eks.list_clusters()["clusters"]
        here = {name: self._zones.get(name) or self._zones_of(name) for name in names}
        elsewhere = {name: one["zones"] for name, one in self._store.all(CLUSTERS).items() if one.get("account")}
        return {**here, **elsewhere}

    def _zones_of(self, cluster: str) -> list[str]:
        subnets = self._eks.describe_cluster(name=cluster)["cluster"]["resourcesVpcConfig"]["subnetIds"]
        described = self._ec2.describe_subnets(SubnetIds=subnets)["Subnets"]
        return sorted({subnet["AvailabilityZone"] for subnet in described})

    async def _step_controllers(self) -> None:
        await asyncio.to_thread(self._controllers.step, {name: name for name in self._zones})

    async def _follow_targets(self) -> None:
        groups = self._table.attached()
        self._seen, nodes = await asyncio.to_thread(
            lambda: ({group: self._targets.of(group) for group in groups}, self._store.all(NODE))
        )
        addresses = {node: document["address"] for node, document in nodes.items()}
        self._backends.see(self._seen, addresses)
        self._checks.follow(
            {
                (group, target.id, target.port): (
                    self._table.groups[group],
                    addresses.get(target.id, target.id),
                    target,
                )
                for group, targets in self._seen.items()
                for target in targets
                if target.state != "draining" and group in self._table.groups
            }
        )

    async def _publish(self) -> None:
        since, self._since = self._since, datetime.now(UTC)
        counted = {
            group: sum(target.state != "draining" for target in targets) for group, targets in self._seen.items()
        }
        data = self._meter.take(since, counted)
        for group, balancer in self._table.attached().items():
            if self._seen.get(group):
                data += host_counts(balancer, group, self._seen[group], since)
        for first in range(0, len(data), POINTS_PER_CALL):
            points = data[first : first + POINTS_PER_CALL]
            await asyncio.to_thread(self._cloudwatch.put_metric_data, Namespace=NAMESPACE, MetricData=points)


async def _every(seconds: float, beat: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await beat()
        except Exception as error:
            # What is deleted while it is read is gone in the next beat: that is no news.
            if not (isinstance(error, ClientError) and error.response["Error"]["Code"].endswith("NotFound")):
                _log.exception("one beat was lost")
        await asyncio.sleep(seconds)


async def _until_stdin_ends(store: Store, home: str, speed: float) -> None:
    config = Config(user_agent_extra=INTERNAL_AGENT, proxies={})
    session = boto3.Session(region_name=os.environ["AWS_REGION"])

    def client(service: str) -> Any:
        return session.client(service, config=config)  # pyright: ignore[reportCallIssue,reportArgumentType]

    def ready() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    world = asyncio.create_task(World(store, client, home, speed).run(ready))
    parent = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait((world, parent), return_when=asyncio.FIRST_COMPLETED)
    world.cancel()
    await asyncio.wait((world,))
    if not world.cancelled():
        world.result()


def main() -> None:
    """Run until standard input ends."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    speed = float(os.environ.get(SPEED_VARIABLE, DEFAULT_SPEED))
    asyncio.run(_until_stdin_ends(Store.of_this_rehearsal(), os.environ[PATH_VARIABLE], speed))


if __name__ == "__main__":
    main()
