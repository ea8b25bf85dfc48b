"""The emulated AWS API as a process of its own: moto on a free loopback port, for as long as its parent lives.

Prints its port once it listens. Ends when its standard input ends, so that a parent which is killed leaves no server
behind. The API servers of the emulated clusters live in it and end with it. Refuses to own what AWS does: that is
moto's, and where moto has nothing, `rehearsal.cloud.api`'s and the `aws` plugin's.
"""

from __future__ import annotations

import os
import sys
import threading

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from rehearsal.cloud import models
from rehearsal.cloud.api import Api
from rehearsal.cloud.kubernetes import api_server
from rehearsal.cloud.regions import ZONE
from rehearsal.cloud.store import Store


def main() -> None:
    """Serve until standard input ends."""
    models.read_once()
    store = Store.of_this_rehearsal()
    for zone, document in store.all(ZONE).items():
        _add(zone, document["region"])
    api_server.serve(store)
    server = make_server(
        "127.0.0.1",
        0,
        Api(DomainDispatcherApplication(create_backend_app), store),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    os.environ["MOTO_PORT"] = str(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()


def _add(zone: str, region: str) -> None:
    known = RegionsAndZonesBackend.zones.setdefault(region, [])
    if all(one.name != zone for one in known):
        known.append(Zone(name=zone, region_name=region, zone_id=zone))


if __name__ == "__main__":
    main()
