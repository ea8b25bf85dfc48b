"""`pulumi-language-python` for an engine that was built here; a Pulumi release brings its own.

The engine starts one for each preview and for each update, and asks it to run the program once. Refuses to own how a
program talks to the engine (the SDK's), and dependencies: the interpreter that runs this has them.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pulumi
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from rehearsal.plugins.plugin import until_ended

_ENGINE_ENDED = "resource monitor shut down"  # what a program hears when the engine has refused one of its resources


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers what the engine asks of a language."""

    def __init__(self, engine_address: str) -> None:
        self._engine_address = engine_address

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:  # noqa: ARG002, N802
        """Return no version: the host is part of the rehearsal."""
        return plugin_pb2.PluginInfo()

    def GetRequiredPackages(self, request: Any, context: Any) -> language_pb2.GetRequiredPackagesResponse:  # noqa: ARG002, N802
        """Return none: the rehearsal has installed its plugins, and nothing else may be fetched."""
        return language_pb2.GetRequiredPackagesResponse()

    def Run(self, request: language_pb2.RunRequest, context: Any) -> language_pb2.RunResponse:  # noqa: ARG002, N802
        """Run the program; what went wrong is told to the engine as the real host tells it."""
        return contextvars.copy_context().run(self._run, request)

    def _run(self, request: language_pb2.RunRequest) -> language_pb2.RunResponse:
        folder = Path(request.info.program_directory)
        reset_options(
            project=request.project,
            monitor_address=request.monitor_address,
            engine_address=self._engine_address,
            stack=request.stack,
            parallel=request.parallel,
            preview=request.dryRun,
            organization=request.organization or "organization",
        )
        set_all_config(dict(request.config), list(request.configSecretKeys))
        executor = ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4)  # as many as the SDK's own host has
        try:
            with asyncio.Runner() as runner:
                runner.get_loop().set_default_executor(executor)
                runner.run(run_in_stack(lambda: run_program(folder)))
        except pulumi.RunError as error:
            pulumi.log.error(str(error))
        except SystemExit as ending:
            return language_pb2.RunResponse(error=f"program exited: {ending.code}" if ending.code else "")
        except Exception as error:
            if not _engine_ended(error):
                pulumi.log.error(f"Program failed with an unhandled exception:\n{_program_traceback(error, folder)}")
        else:
            return language_pb2.RunResponse()
        return language_pb2.RunResponse(bail=True)


def run_program(folder: Path) -> None:
    """Run the `__main__.py` of ``folder`` as Python would: in that folder, which is first on its path."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    runpy.run_path(str(folder / "__main__.py"), run_name="__main__")


def _engine_ended(error: Exception) -> bool:
    if isinstance(error, grpc.RpcError):
        return error.code() == grpc.StatusCode.UNAVAILABLE
    return str(error) == _ENGINE_ENDED


def _program_traceback(error: Exception, folder: Path) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = next((place for place, frame in enumerate(frames) if Path(frame.filename).is_relative_to(folder)), 0)
    return "".join(traceback.format_exception(error, limit=own - len(frames)))


def _unsaid(msg: str, resource: object = None, stream_id: int | None = None, ephemeral: bool | None = None) -> None:
    """Say nothing: the SDK has two thousand of these for a preview, and waits for the engine with each."""


def main() -> None:
    """Serve the engine whose address is the last argument, until it ends this process."""
    pulumi.log.debug = _unsaid
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # a program that fails leaves tasks behind, as it must
    host = LanguageHost(sys.argv[-1])
    until_ended(lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server), threads=4)


if __name__ == "__main__":
    main()
