"""The Pulumi CLI as a child of the command line: how it is run, and how it ends when the command must.

The SDK leaves its child behind when a signal comes: with the state's lock, and with an update that goes on. Here it
runs in a session of its own, so that no terminal ends it, is asked once to stop cleanly, and is waited for. Refuses to
know what it is asked (project.py).
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error

from cutover import ending
from cutover.calls import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_LOOK_SECONDS = 0.1
# What was refused or has failed ends a run, whatever the shell says: deletions would follow it (docs/runbook.md).
_ALWAYS = {"PULUMI_AUTOMATION_API": "true", "PULUMI_CONTINUE_ON_ERROR": "false"}


class Cli(PulumiCommand):
    """The CLI on PATH."""

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        """Run a command to its end, also where the command line is asked to end: then it ends sooner.

        :raises CommandError: it failed
        :raises KeyboardInterrupt: the command line was asked to end, and the CLI has ended
        """
        asked_before, asked = ending.asked(), False
        with ending.undisturbed():
            process = subprocess.Popen(
                [self.command, "--non-interactive", *args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env={**os.environ, **additional_env, **_ALWAYS},
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            said: tuple[list[str], list[str]] = ([], [])
            readers = [
                threading.Thread(target=_read, args=of, daemon=True)
                for of in ((process.stdout, said[0], on_output), (process.stderr, said[1], on_error))
            ]
            for reader in readers:
                reader.start()
            with waiting(f"pulumi {args[0]}"):
                for reader in readers:
                    while reader.is_alive():
                        reader.join(_LOOK_SECONDS)
                        # An edit of the stack file takes a moment, and must not be cut off in the middle.
                        if ending.asked() and not (asked_before or asked or args[0] == "config"):
                            asked = True
                            process.send_signal(signal.SIGINT)
                process.wait()
        ending.heed()
        result = CommandResult(stdout="\n".join(said[0]), stderr="\n".join(said[1]), code=process.returncode)
        if result.code != 0:
            raise create_command_error(result)
        return result


def _read(stream: Iterable[str], lines: list[str], tell: Callable[[str], Any] | None) -> None:
    for line in stream:
        lines.append(line.rstrip())
        if tell:
            tell(lines[-1])
