"""Who may look into the daemon's process."""

import ctypes
import os

import pytest

from crewd.app import secrecy

NOBODY = 65534
PR_SET_DUMPABLE = 4


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else takes root")
def test_a_process_of_the_same_user_sees_no_environment() -> None:
    """What /proc says of it in confidence is root's, also of what it forks."""
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(NOBODY, NOBODY, NOBODY)
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after whatever it executes
            secrecy.keep()
            if os.fork() == 0:
                os._exit(os.stat("/proc/self/environ").st_uid)
            _, status = os.wait()
            os._exit(os.waitstatus_to_exitcode(status))
        finally:
            os._exit(99)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
