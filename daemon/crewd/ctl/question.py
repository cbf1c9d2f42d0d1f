"""Asking before something is done to everything."""

import sys
from collections.abc import Callable

import click

from crewd.ctl.exits import EXIT_FAILED


def make_sure(verb: str, count: Callable[[], int], *, yes: bool) -> None:
    """Go on only if all instances are really meant: by ``--yes``, or asked on a terminal. ``count``: of them."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(f"Cannot {verb} everything: there is no terminal to ask on; say --yes.")
    if not _agreed(f"{verb} all {count()} instances"):
        click.echo("nothing was done", err=True)
        click.get_current_context().exit(EXIT_FAILED)


def _agreed(what: str) -> bool:
    """Ask; the end of the input is a no, as is anything but a yes."""
    sys.stderr.write(f"{what}? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        sys.stderr.write("\n")
    return answer.strip().lower() in {"y", "yes"}
