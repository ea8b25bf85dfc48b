"""What the engine starts in place of a plugin: it asks the fork server (fork_server.py) for one, and stands for it.

`python -I -S fork_client.py SOCKET MODULE [ARGUMENT ...]` hands over its arguments, environment, folder and standard
streams, passes the signals that it gets on, and ends as the other does. Refuses to load anything: it is there to be
quick.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def main() -> int:
    """Return the exit code of what the server has run."""
    path, module, *arguments = sys.argv[1:]
    asked = {"module": module, "arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109
    document = json.dumps(asked).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        socket.send_fds(server, [len(document).to_bytes(4, "big")], [0, 1, 2])
        server.sendall(document)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: server.sendall(bytes([number])))
        code = int(server.recv(8) or 1)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
