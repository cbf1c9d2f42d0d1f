"""crewctl: what an operator types. A client of the daemon's API, and nothing else.

Rules:

1. A subcommand is imported when it is called: ``crewctl status`` loads nothing that it does not need.
2. What was asked for goes to standard output; progress, questions and complaints go to standard error.
3. Nothing waits for a key where there is no terminal.
4. Text from outside reaches no terminal as a command: names and messages through ``wording.plain``, output of workers
   through ``screen.harmless``.
5. Exit statuses are of ``exits``, and are decided there.
"""

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from crewd import __version__
from crewd.ctl import exits

COMMANDS = {
    "status": "status",
    "top": "top",
    "start": "actions",
    "stop": "actions",
    "restart": "actions",
    "reset-failed": "actions",
    "batch": "batch",
    "reset": "reset",
    "why": "why",
    "events": "events",
    "logs": "logs",
    "configs": "configs",
    "export": "export",
    "reload": "reload",
    "token": "token",
    "audit": "audit",
    "check": "check",
    "doctor": "doctor",
    "shutdown": "shutdown",
    "completion": "completion",
}
"""Each command, and the module of this package that has it: as a function of the command's name."""


class _Commands(click.Group):
    """A group that imports a command when it is asked for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import the command; None where there is none of this name."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        return getattr(import_module(f"crewd.ctl.{module}"), cmd_name.replace("-", "_"))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="crewctl")
@click.option("--socket", type=click.Path(), metavar="PATH", help="The daemon's socket; the default is the home's own.")
@click.option("--host", metavar="URL", help="A daemon's address instead: https://HOST:PORT. Else $CREWD_HOST.")
@click.option("--token-file", type=click.Path(), metavar="FILE", help="With your token for it. Else $CREWD_TOKEN.")
@click.option(
    "--ca", type=click.Path(), metavar="FILE", help="Who signed its certificate, where the system does not know."
)
@click.option("--cert", type=click.Path(), metavar="FILE", help="A certificate of yours, where it wants one.")
@click.option("--key", type=click.Path(), metavar="FILE", help="The key of that, where it is not in the same file.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Default: auto.")
@click.pass_context
def crewctl(ctx: click.Context, color: str, **said: str | None) -> None:
    """Show and steer the crew that crewd keeps running."""
    from crewd.ctl.address import Address  # noqa: PLC0415 - `crewctl --version` is quick
    from crewd.ctl.session import Session  # noqa: PLC0415 - as above

    ctx.obj = Session.begin(os.environ, Address(**said), color)


def main() -> NoReturn:
    """Run the command line and leave with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter gets the rest
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return its exit status."""
    try:
        code: int | None = crewctl.main(list(arguments), prog_name="crewctl", standalone_mode=False)
        sys.stdout.flush()
        return code or exits.EXIT_DONE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return exits.EXIT_INTERRUPTED
    except BrokenPipeError:
        _let_go()
        return exits.EXIT_HUNG_UP
    except OSError as error:
        _let_go()
        click.echo(f"cannot write the answer: {error.strerror}", err=True)
        return exits.EXIT_FAILED


def _let_go() -> None:
    """Let the interpreter find nothing to flush, or to fail at, when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
