"""A process that has loaded what plugins and programs load, and forks for each of them that the engine starts.

The engine starts half a dozen processes for every preview, which would spend half of their time on loading the same
SDKs. `python -m rehearsal.engine.fork_server SOCKET` says that it listens, loads, and serves until its standard input
ends; what it started ends with it. Owns how a process comes into being: with the arguments, environment, folder and
standard streams of its client (fork_client.py), and ended when that is. Refuses to know what it does.
"""

from __future__ import annotations

import gc
import importlib
import json
import multiprocessing
import os
import runpy
import select
import signal
import socket
import socketserver
import sys
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, cast

from rehearsal.cloud import models

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.context import ForkProcess

_LOADED = (
    "boto3",
    "pydantic",
    "pulumi.provider",
    "rehearsal.plugins.aws.provider",
    "rehearsal.plugins.eks.provider",
    "rehearsal.plugins.kubernetes.provider",
    "pulumi_eks",
)
# The SDKs load a module of these only when something in it is used.
_LAZY = {
    "pulumi_aws": ("acm", "cloudwatch", "ec2", "eks", "iam", "lb", "route53", "servicediscovery", "sqs", "vpc"),
    "pulumi_kubernetes": ("apiextensions", "core.v1", "helm.v3", "meta.v1"),
}
_ASKED = ("acm", "cloudwatch", "ec2", "eks", "elbv2", "iam", "route53", "servicediscovery", "ssm", "sts")
_STREAMS = 3
_LENGTH_BYTES = 4
_POLL_SECONDS = 0.1


class _Handler(socketserver.BaseRequestHandler):
    """One client, in a process of its own."""

    request: socket.socket

    def handle(self) -> None:
        """Start what the client asks for, pass signals on to it, and tell the client its exit code."""
        length, streams, _, _ = socket.recv_fds(self.request, _LENGTH_BYTES, _STREAMS)
        asked = json.loads(self.request.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
        process = multiprocessing.get_context("fork").Process(target=_become, args=(asked, streams))
        process.start()
        for stream in streams:
            os.close(stream)
        while process.sentinel not in wait([process.sentinel, self.request]):
            self._signal(process)
        process.join()
        self.request.sendall(f"{process.exitcode}".encode())

    def _signal(self, process: ForkProcess) -> None:
        number = self.request.recv(1)
        os.kill(cast("int", process.pid), number[0] if number else signal.SIGKILL)


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    max_children = 1000
    request_queue_size = 128  # clients come while it still loads
    block_on_close = False

    def service_actions(self) -> None:
        """End with the parent, and everything that was started with it."""
        super().service_actions()
        if select.select([sys.stdin], [], [], 0)[0]:
            os.killpg(0, signal.SIGKILL)


def _become(asked: dict[str, Any], streams: Sequence[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = os.fdopen(0, closefd=False)  # multiprocessing has put nothing in its place
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.argv[1:] = asked["arguments"]
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


def load_lazy() -> None:
    """Load for good the modules of the SDKs that the program uses."""
    for package, names in _LAZY.items():
        for name in names:
            hasattr(importlib.import_module(f"{package}.{name}"), "anything")


def main() -> None:
    """Serve the socket whose path is the argument."""
    with _Server(sys.argv[1], _Handler) as server:
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        for module in _LOADED:
            importlib.import_module(module)
        load_lazy()
        models.read_for(_ASKED)
        gc.freeze()  # so that no collection in a child copies what it shares
        server.serve_forever(_POLL_SECONDS)


if __name__ == "__main__":
    main()
