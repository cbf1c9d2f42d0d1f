"""The lock of a state directory."""

import pytest

from crewd.app.lock import locked
from crewd.errors import TargetError


def test_a_full_disk_does_not_keep_it_from_being_taken() -> None:
    """The kernel holds it, whatever the file says; who comes second is told as much as is known."""
    with (
        locked("/dev/full"),
        pytest.raises(TargetError, match="cannot run: another crewd holds /dev/full: pid "),
        locked("/dev/full"),
    ):
        pass
