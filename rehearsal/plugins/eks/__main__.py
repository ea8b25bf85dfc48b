"""The executable of the plugin."""

import os
import signal
import sys

from pulumi.provider import main

from rehearsal.plugins.eks.provider import EksProvider

# Left to asyncio, a component that failed keeps the plugin until the engine kills it, five seconds later.
signal.signal(signal.SIGINT, lambda *_: os._exit(0))
main(EksProvider(), sys.argv[1:])
