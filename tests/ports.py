"""Loopback ports for the servers that tests start."""

import os
import random
import socket

# Below 32768 the kernel gives none away (ip_local_port_range), so that no connection takes one between
# choosing and listening; each worker of a run has a thousand of its own.
FIRST = 12_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_dice = random.Random(os.urandom(8))
_given: set[int] = set()


def free_port() -> int:
    """Return a port that nobody listens on now, never the same twice."""
    while True:
        port = FIRST + _dice.randrange(1_000)
        if port in _given:
            continue
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
