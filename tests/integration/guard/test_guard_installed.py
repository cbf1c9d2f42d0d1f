"""The guard on real supervisors: both supported versions, every Python at hand, and copies with one thing changed."""

import ast
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import supervisor

from crewd_supervisord import guard
from crewd_supervisord.known import KNOWN
from crewd_supervisord.parts import PARTS
from harness.editions import CHECKOUT

NEW = Path(supervisor.__file__).parent
OLD = CHECKOUT / ".cache" / "supervisor-4.2.5" / "supervisor"
VERSIONS = [
    pytest.param(NEW, id="4.3.0"),
    pytest.param(
        OLD, id="4.2.5", marks=pytest.mark.skipif(not OLD.is_dir(), reason="supervisor 4.2.5 is not unpacked")
    ),
]
NAMES = sorted({name for names in PARTS.values() for name in names})
REASONS = """
import json
from crewd_supervisord import guard
print(json.dumps({part: guard.examine(part).reason for part in guard.PARTS}))
"""


def runs(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


PYTHONS = [sys.executable, *filter(runs, filter(None, map(shutil.which, ("python3.12", "python3.13"))))]


def reasons(folder: Path, *, python: str = sys.executable, before: str = "") -> dict[str, str]:
    """Return what the guard says of each part, where supervisor lies in ``folder``."""
    path = [folder, CHECKOUT / "plugins", CHECKOUT / "daemon"]
    done = subprocess.run(
        [python, "-W", "ignore", "-c", f"{before}\n{REASONS}"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def unknown_parts(found: dict[str, str]) -> set[str]:
    return {part for part, reason in found.items() if reason}


def parts_with(name: str) -> set[str]:
    return {part for part, names in PARTS.items() if name in names}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a supervisor of its own."""
    shutil.copytree(NEW, tmp_path / "supervisor", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    return tmp_path


def edit(copy: Path, file: str, old: str, new: str) -> None:
    path = copy / "supervisor" / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("python", PYTHONS, ids=os.path.basename)
@pytest.mark.parametrize("package", VERSIONS)
def test_every_part_of_a_supported_supervisor_is_known(package: Path, python: str) -> None:
    """On every Python: only text is compared."""
    assert unknown_parts(reasons(package.parent, python=python)) == set()


@pytest.mark.parametrize("package", VERSIONS)
def test_whole_functions_are_measured(package: Path) -> None:
    """From the first line to the last that the parser sees: no more, no less. So they exist in both versions, too."""
    for name in NAMES:
        text, node = find(package, name)
        lines = guard._STRING_OR_COMMENT.sub(guard._mark, text).split("\n")
        measured = guard._body(lines, node.lineno - 1)
        parsed = [line for line in lines[node.lineno - 1 : node.end_lineno] if line.strip()]
        assert [line.strip() for line in measured] == [line.strip() for line in parsed], name


def find(package: Path, name: str) -> tuple[str, ast.FunctionDef]:
    """Return the text of the file and the function's node in it."""
    names = name.split(".")[1:]
    end = 1 if package.joinpath(names[0]).with_suffix(".py").is_file() else 2
    text, node = parsed_file(package.joinpath(*names[:end]).with_suffix(".py"))
    for step in names[end:]:
        node = next(found for found in node.body if getattr(found, "name", None) == step)
    assert isinstance(node, ast.FunctionDef)
    return text, node


@cache
def parsed_file(path: Path) -> tuple[str, Any]:
    text = path.read_text()
    return text, ast.parse(text)


def test_nothing_is_known_that_no_part_relies_on() -> None:
    """The table and the parts name the same functions."""
    assert sorted(KNOWN) == NAMES


RPC = "rpcinterface.SupervisorNamespaceRPCInterface"


@pytest.mark.parametrize(
    ("function", "old", "new"),
    [
        ("supervisord.Supervisor.runforever", "timeout = 1 #", "timeout = 2 #"),
        ("options.ServerOptions.make_pipes", "pipes = {'child_stdin':None,", "pipes = {'child_stdin':0,"),
        (f"{RPC}.removeProcessGroup", "def removeProcessGroup(self, name)", "def removeProcessGroup(self, name, x=0)"),
        ("http.nothing", "    ac_out_buffer_size = 4096", "    ac_out_buffer_size = 8192"),
    ],
)
def test_a_changed_line_takes_away_the_parts_that_rely_on_it(copy: Path, function: str, old: str, new: str) -> None:
    """And no other part; a line outside of all functions takes nothing away."""
    edit(copy, f"{function.partition('.')[0]}.py", old, new)
    found = reasons(copy)
    name = f"supervisor.{function}"

    assert unknown_parts(found) == parts_with(name)
    assert all(found[part] == f"{name} differs from every known version" for part in parts_with(name))


def test_a_changed_comment_takes_nothing_away(copy: Path) -> None:
    """Distributions patch files; what does nothing does not count."""
    edit(copy, "supervisord.py", "timeout = 1 #", "timeout = 1 # one second,")

    assert unknown_parts(reasons(copy)) == set()


def test_a_function_that_is_gone_is_unknown(copy: Path) -> None:
    """It has no source; nothing is raised."""
    name = "supervisor.options.ProcessConfig.make_dispatchers"
    path = copy / "supervisor" / "options.py"
    path.write_text(path.read_text().replace("make_dispatchers", "create_dispatchers"))

    found = reasons(copy)

    assert found["spawn"] == f"{name} has no source to compare"
    assert unknown_parts(found) == {"spawn"}


def test_a_supervisor_without_sources_is_unknown_altogether(copy: Path) -> None:
    """Compiled files alone: no part can be compared, and nothing is raised."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", "-b", copy / "supervisor"], check=True)
    for source in (copy / "supervisor").rglob("*.py"):
        source.unlink()

    assert unknown_parts(reasons(copy)) == set(PARTS)


def test_a_function_that_another_plugin_replaced_is_unknown() -> None:
    """The functions in the classes are looked at, not the files."""
    before = "from supervisor.process import Subprocess as S; stock = S.spawn; S.spawn = lambda self: stock(self)"
    found = reasons(NEW.parent, before=before)

    assert unknown_parts(found) == parts_with("supervisor.process.Subprocess.spawn")


def test_the_survey_is_made_once_and_stays() -> None:
    """After a reload of supervisord our own hooks are in the classes: they are not taken for strangers."""
    before = """
from crewd_supervisord import guard
from supervisor.process import Subprocess
guard.unknown("loop")
Subprocess.finish = print
"""

    assert unknown_parts(reasons(NEW.parent, before=before)) == set()


def test_the_merged_table_is_the_one_that_stands() -> None:
    """Merging a supervisor that is known changes nothing, formatting included."""
    done = subprocess.run(
        [sys.executable, "-m", "crewd_supervisord.guard", "--merge"], capture_output=True, text=True, check=True
    )

    assert done.stdout == (CHECKOUT / "plugins" / "crewd_supervisord" / "known.py").read_text()
