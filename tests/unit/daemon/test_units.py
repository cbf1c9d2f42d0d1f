"""``crewd install-units``: what is written where."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from crewd import cli, units

ROOT = Path(__file__).parents[3]


def test_all_files_are_put_where_systemd_looks(tmp_path: Path) -> None:
    """Filled in, readable for all, and what to do next is said."""
    system = tmp_path / "etc/systemd/system"
    done = CliRunner().invoke(cli.main, ["install-units", "--destination", str(system), "--bin", "/opt/crewd/bin"])
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}

    assert done.exit_code == 0, done.output
    assert made == {
        *(f"etc/systemd/system/{unit}" for unit in units.UNITS),
        "etc/sysusers.d/crewd.conf",
        "etc/tmpfiles.d/crewd.conf",
    }
    assert "ExecStart=/opt/crewd/bin/crewd run" in (system / "crewd.service").read_text()
    assert all(units.BIN not in path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in tmp_path.rglob("*") if path.is_file())
    assert "systemctl enable --now crewd.target" in done.output


def test_every_file_of_the_folder_is_installed() -> None:
    """None is forgotten."""
    assert {path.name for path in (ROOT / "packaging/systemd").iterdir()} == set(units.places("/etc/systemd/system"))


@pytest.mark.parametrize(
    ("destination", "executables"),
    [("/etc/systemd", "/usr/bin"), ("/etc/systemd/system", "bin"), ("/etc/systemd/system", "/opt/my crewd/bin")],
)
def test_what_cannot_be_right_is_refused(destination: str, executables: str) -> None:
    """In a sentence."""
    done = CliRunner().invoke(cli.main, ["install-units", "--destination", destination, "--bin", executables])

    assert done.exit_code == 1
    assert done.output.startswith("cannot install units")
