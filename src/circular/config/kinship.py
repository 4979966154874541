"""A child ends when its parent is gone, so that ports and locks are free for the next start.

Source: prctl(2), PR_SET_PDEATHSIG. The kernel tells the child even when the parent was killed with -9.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int = 0) -> None:
    """Have this process asked to end (SIGTERM) as soon as its parent ends.

    Shapes:  `parent` is the parent's number where the parent itself said it, else the present one
    """
    expected = parent or os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != expected:  # it ended before we could ask
        sys.exit(0)
