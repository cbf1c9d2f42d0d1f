"""The box that the tests of units run in."""

import pytest

from harness import systemd_box
from harness.systemd_box import Box

pytestmark = pytest.mark.skipif(bool(systemd_box.missing()), reason=systemd_box.missing())


def test_two_boxes_do_not_see_each_other_nor_touch_the_machine() -> None:
    """Each has units, ports and files of its own."""
    with Box() as one, Box() as other:
        one.run("systemd-run", "--unit=here", "sleep", "600")
        one.run("touch", "/etc/only-here")
        assert one.out("systemctl", "is-active", "here") == "active"
        assert other.run("systemctl", "is-active", "here", check=False).stdout.strip() == "inactive"
        assert one.path("/etc/only-here").exists()
        assert not other.path("/etc/only-here").exists()
        assert other.run("ls", "/etc/only-here", check=False).returncode != 0
        assert one.out("sh", "-c", "echo inside >/dev/tcp/127.0.0.1/9 2>/dev/null || ls /sys/class/net") == "lo"
