"""`cutover`: see what is live, prove that a step is safe, move traffic and go back, take a cluster away.

Only starts the command line. What it loads takes half a second, in which Ctrl-C ends it without a word.
"""

from __future__ import annotations

import signal


def main() -> None:
    """Load the commands, and run the one that was asked for."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from cutover.commands.app import run  # noqa: PLC0415 - Ctrl-C must be heeded before this is loaded

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
