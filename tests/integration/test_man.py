"""The man pages: up to date, without a fault that man knows of, and with every option and every key in them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from crewd import apply, cli, ctl
from crewd.config import json_schema
from crewd.ctl import exits
from crewd.man import PAGES
from crewd.man.commands import below, called, closing
from crewd.man.roff import Page, prose
from harness.builds import CHECKOUT

MAN = CHECKOUT / "packaging/man"

needs_man = pytest.mark.skipif(shutil.which("man") is None, reason="man-db is not installed")


@cache
def shown(name: str) -> str:
    """Return a page as it is shown, in one line, each blank once."""
    command = ["man", "-E", "UTF-8", "-l", str(MAN / name)]
    ran = subprocess.run(command, env={"MANWIDTH": "100", "PATH": "/usr/bin:/bin"}, capture_output=True, check=True)
    return " ".join(re.sub("\x1b\\[[0-9;]*m|.\x08", "", ran.stdout.decode()).split())


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_as_the_program_has_it(name: str) -> None:
    """After a change: `python -m crewd.man packaging/man`."""
    assert (MAN / name).read_text() == PAGES[name]()


def test_no_page_is_left_over() -> None:
    """What lies there is made."""
    assert {file.name for file in MAN.iterdir()} == set(PAGES)


@needs_man
@pytest.mark.parametrize("name", PAGES)
def test_man_has_nothing_to_say_against_a_page(name: str) -> None:
    """Not one warning."""
    command = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(MAN / name)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)

    assert ran.stderr == ""


def pages_of_commands() -> Iterator[tuple[str, click.Context]]:
    """Yield every command, and the page that it stands on."""
    for page, name, command in (
        ("crewd.8", "crewd", cli.main),
        ("crewctl.1", "crewctl", ctl.crewctl),
        ("crewd-apply.8", "crewd-apply", apply.main),
    ):
        context = called(name, command)
        yield from ((page, one) for one in (context, *below(context)))


@needs_man
@pytest.mark.parametrize(
    ("page", "context"), [pytest.param(page, one, id=one.command_path) for page, one in pages_of_commands()]
)
def test_each_command_and_each_option_is_on_a_page(page: str, context: click.Context) -> None:
    """By all of their names, in the part of that command."""
    _, found, rest = shown(page).partition(f" {context.command_path} [OPTIONS]")
    part = re.split(r" crew\S+ [a-z -]*\[OPTIONS\]", rest)[0]
    options = [param for param in context.command.params if isinstance(param, click.Option) and not param.hidden]

    assert found
    for name in (name for option in options for name in (*option.opts, *option.secondary_opts)):
        assert re.search(rf"(?<!\S){re.escape(name)}(?![\w-])", part), name


@needs_man
def test_each_key_is_on_the_page_of_the_configuration() -> None:
    """As it is in the schema."""
    keys = set(_properties(json_schema()))

    assert keys
    assert not [key for key in keys if not re.search(rf"(?<!\S){re.escape(key)}\b", shown("crewd.yaml.5"))]


def _properties(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for name, inner in schema.items():
            if name != "eventlisteners":  # what stands there are supervisord's own options
                yield from _properties(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _properties(inner)


@needs_man
@pytest.mark.parametrize("name", PAGES)
def test_each_page_has_its_sections(name: str) -> None:
    """In the order in which they are looked for."""
    titles = re.findall(r"^\.SH (.+)$", (MAN / name).read_text(), re.MULTILINE)

    assert titles[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
    assert {"FILES", "SEE ALSO"} <= set(titles)
    assert name == "crewd.yaml.5" or {"OPTIONS", "EXIT STATUS", "ENVIRONMENT"} <= set(titles)


def test_the_pages_that_the_reference_leads_to_are_named_as_they_are_installed() -> None:
    """A man page has no links."""
    named = re.findall(r"/usr/share/doc/crewd/(\S+\.md)", (MAN / "crewd.yaml.5").read_text().replace("\\-", "-"))

    assert "docs/reference/access.md" in named
    assert [page for page in named if not (CHECKOUT / page).is_file()] == []


@needs_man
def test_each_exit_status_of_crewctl_is_on_its_page() -> None:
    """Scripts rely on them."""
    part = shown("crewctl.1").partition("EXIT STATUS")[2]

    for status in {value for name, value in vars(exits).items() if name.startswith("EXIT_")}:
        assert re.search(rf"(?<!\S){status} [A-Z]", part), status


@needs_man
def test_no_sign_of_a_text_is_taken_for_a_command_of_roff(tmp_path: Path) -> None:
    """Nor changed on the way: what is copied from a page works."""
    hostile = ".SH no 'heading' \\fB -- --dry-run ~/x ^ `code` \"quoted\" … → | \\n"
    page = Page("x", 1, "x", "x")
    page.heading("NAME")
    page.line("x \\- y")
    page.paragraph(hostile)
    page.literal([hostile, "'br", ".br"])
    file = tmp_path / "x.1"
    file.write_text(page.text())
    command = ["man", "--warnings", "-E", "UTF-8", "-l", str(file)]
    ran = subprocess.run(command, env={"MANWIDTH": "200", "PATH": "/usr/bin:/bin"}, capture_output=True, check=True)
    text = ran.stdout.decode()

    assert ran.stderr == b""
    assert [line.strip() for line in text.splitlines() if line.startswith("    ")][-4:] == [
        hostile.replace("`", ""),
        hostile,
        "'br",
        ".br",
    ]
    assert prose(".x").startswith("\\&")


def test_examples_and_exit_statuses_of_a_help_come_along() -> None:
    """As they stand there: lines to type as they are, statuses as a list."""
    epilog = "\b\nExamples:\n  crewctl x --y\n\n\b\nExit status:\n    0  It was done.\n   78  It was wrong."
    page = Page("x", 1, "x", "x")
    closing(page, click.Command("x", epilog=epilog))
    text = page.text()

    assert "crewctl x \\-\\-y" in text
    assert ".TP\n\\fB78\\fR\nIt was wrong." in text
