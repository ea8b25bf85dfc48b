"""Whether AWS accepts what the settings let through: stack files at the edges of what AWS takes, each of them played.

Run from the root of the repository: `python -m benchmarks.stackfiles --cases 2000`. A case is a stack file that the
settings let through; the whole program runs for it over the emulated AWS with its limits, without an engine. Shown are
what was refused, with a file for each, and how long it took. It ends with exit code 1 where anything was.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from rich.console import Console

from settings import SettingsError, parse
from tests.accepting import emulated
from tests.conftest import PROJECT
from tests.stackfiles import STACK, stack_files


def main() -> int:
    """Play the cases, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000, help="how many files are played")
    parser.add_argument("--seed", type=int, default=1, help="which files")
    asked = parser.parse_args()
    console = Console(markup=False, highlight=False, soft_wrap=True)
    found: dict[str, dict[str, Any]] = {}
    written = played = 0
    logging.disable()  # of what the program and its event loop say of a refusal
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, emulated(Path(folder)) as cloud:

        @seed(asked.seed)
        @settings(
            max_examples=asked.cases,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
        )
        @given(stack_files())
        def play(config: dict[str, Any]) -> None:
            nonlocal written, played
            written += 1
            assume(is_let_through(config))
            played += 1
            if played % 50 == 0:
                console.print(f"{played} played in {time.monotonic() - began:.0f} s")
            for refusal in cloud.refusals(config, STACK):
                kind = re.sub(r"RequestID: \w+|[0-9a-f-]{36}|-[0-9a-f]{7}\b", "", refusal)
                if found.setdefault(kind, config) is config:
                    console.print(f"{kind}\n{yaml.safe_dump(config)}")

        play()
    seconds = time.monotonic() - began
    console.print(f"{written} files, {played} let through and played in {seconds:.0f} s; {len(found)} kinds of refusal")
    return 1 if found else 0


def is_let_through(config: dict[str, Any]) -> bool:
    """Tell whether the settings find nothing wrong in a stack file."""
    try:
        parse(config, PROJECT, STACK)
    except SettingsError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
