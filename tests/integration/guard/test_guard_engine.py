"""A supervisor with one function changed: the engine runs, without the parts that rely on it, and says why."""

import shutil
from pathlib import Path

import pytest
import supervisor

from harness import Edition, Mode, Program, Supervisord
from harness.editions import NEW

CHANGES = {
    "loop": ("supervisord.Supervisor.runforever", "timeout = 1 #", "timeout = 0.9 #"),
    "spawn": ("options.ServerOptions.make_pipes", "pipes = {'child_stdin':None,", "pipes = {'child_stdin': None,"),
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_changed_function_takes_one_part_back_to_stock(tmp_path: Path, part: str) -> None:
    """The other part stays ours, the reason is told by crewd.version and the log, and a killed worker comes back."""
    name, old, new = CHANGES[part]
    function = f"supervisor.{name}"
    shutil.copytree(Path(supervisor.__file__).parent, tmp_path / "supervisor", ignore=shutil.ignore_patterns("tests"))
    source = tmp_path / "supervisor" / f"{name.partition('.')[0]}.py"
    text = source.read_text()
    assert text.count(old) == 1
    source.write_text(text.replace(old, new))

    with Supervisord(Edition(NEW, Mode.FAST), [Program("web-0", ("sleep", "1000"))], python_path=[tmp_path]) as server:
        before = server.wait_state("web-0", "RUNNING")["pid"]
        server.healthy = False  # its check insists on the fast mode
        server.rpc.supervisor.signalProcess("web-0", "KILL")
        server.wait_new_pid("web-0", before)
        version = server.crewd("version")
        parts, log = version["parts"], server.log()

    reason = f"{function} differs from every known version"
    assert {one for one, used in parts.items() if used != "ours"} == {part}
    assert parts[part] == f"stock: {reason}"
    assert version["mode"] == ("stock" if part == "loop" else "fast")
    assert version["faults"] == 0
    assert part == "spawn" or reason in log
