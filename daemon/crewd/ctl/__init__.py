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
from crewd.manual import closing

COMMANDS = {
    "status": "status",
    "health": "health",
    "stats": "stats",
    "top": "top",
    "start": "actions",
    "stop": "actions",
    "restart": "actions",
    "reset-failed": "actions",
    "batch": "batch",
    "reset": "reset",
    "why": "why",
    "events": "events",
    "restart-events": "restart_events",
    "logs": "logs",
    "worker-logs": "worker_logs",
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


ELSEWHERE = {
    "avail": "configs list",
    "daemon-reload": "reload",
    "is-active": "status",
    "journal": "events",
    "kill": "stop --force",
    "list-units": "status",
    "pid": "status",
    "reread": "check",
    "scale": "configs set",
    "show": "configs show",
    "tail": "logs",
    "update": "reload",
}
"""What crewctl calls what systemctl, supervisorctl and others have a word of their own for."""


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; where there is none of that name, say what may have been meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as unknown:
            from crewd.ctl.suggestions import near  # noqa: PLC0415 - for mistakes alone

            meant = [ELSEWHERE[args[0]]] if args[0] in ELSEWHERE else near(args[:1], list(COMMANDS))
            if not meant:
                raise
            raise click.UsageError(f"{unknown.message} Did you mean {' or '.join(meant)}?", ctx) from None


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=closing(("crewctl status", "crewctl why --failed", "crewctl restart --rolling web"), {}),
)
@click.version_option(__version__, prog_name="crewctl")
@click.option(
    "--socket", type=click.Path(), metavar="PATH", help="Ask the daemon on this socket. The default is the home's own."
)
@click.option(
    "--host",
    metavar="URL",
    help="Ask the daemon at this address instead, https://HOST:PORT. The default is $CREWD_HOST.",
)
@click.option(
    "--token-file",
    type=click.Path(),
    metavar="FILE",
    help="Show the token in this file there. The default is the token in $CREWD_TOKEN.",
)
@click.option(
    "--ca",
    type=click.Path(),
    metavar="FILE",
    help="Trust whom this certificate is of to have signed the daemon's, where the system does not.",
)
@click.option("--cert", type=click.Path(), metavar="FILE", help="Show this certificate, where the daemon wants one.")
@click.option(
    "--key", type=click.Path(), metavar="FILE", help="Use this key with --cert, where it is not in the same file."
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Show colours on a terminal, always or never.",
)
@click.pass_context
def crewctl(ctx: click.Context, color: str, **said: str | None) -> None:
    """Show and steer the crew that crewd keeps running.

    SEL says which workers are meant: web is all instances of the worker web, and so is web:*; web-0 is an instance,
    tier=front are all workers with this label, and * is all of the crew. The daemon is asked on its socket, or with
    --host on another machine.
    """
    from crewd.ctl.address import Address  # noqa: PLC0415 - `crewctl --version` is quick
    from crewd.ctl.session import Session  # noqa: PLC0415 - as above

    ctx.obj = Session.begin(os.environ, Address(**said), color)


def main() -> NoReturn:
    """Run the command line and leave with its exit status."""
    _fill()
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


def _fill() -> None:
    """Put nothing in the place of standard streams that were closed: a socket would come to stand there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for good


def _let_go() -> None:
    """Let the interpreter find nothing to flush, or to fail at, when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
