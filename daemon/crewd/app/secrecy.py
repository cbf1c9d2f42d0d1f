"""What the daemon was told in confidence, out of the sight of workers that run as the same user.

Its environment, which may hold a password, is in /proc for whoever may trace it: for its own user, unless the process
says that it is not to be dumped. Its children inherit that until they execute something else.
"""

import ctypes
import os

_PR_SET_DUMPABLE = 4


def keep() -> None:
    """Let nobody but root look into this process. Root itself may look into all, so there it is left as it is."""
    if os.geteuid() != 0:
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
