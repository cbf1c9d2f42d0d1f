"""``crewctl check``: what ``crewd check`` does, for whoever has only crewctl at hand. Needs no daemon."""

import os

import click

from crewd.ctl.command import Doing, output_option
from crewd.ctl.exits import EXIT_CONFIG, EXIT_DENIED, EXIT_DONE, EXIT_FAILED, EXIT_NO_DAEMON
from crewd.ctl.session import Session
from crewd.errors import ConfigError, CrewdError
from crewd.wording import counted, plain


@click.command(
    cls=Doing,
    examples=("crewctl check", "crewctl check -c crew.yaml -o json"),
    statuses={
        EXIT_DONE: "The configuration is right.",
        EXIT_FAILED: "It could not be looked at.",
        EXIT_CONFIG: "The configuration is wrong: there is a line for each mistake.",
        EXIT_DENIED: "",
        EXIT_NO_DAEMON: "",
    },
)
@click.option(
    "-c", "--config", type=click.Path(), metavar="FILE", help="Check this file. The default is the home's own."
)
@output_option
@click.pass_context
def check(ctx: click.Context, config: str | None, output: str) -> None:
    """Check the configuration, and touch nothing.

    It needs no daemon.
    """
    session: Session = ctx.obj
    try:
        warnings, workers, instances = _rehearsed(config)
    except ConfigError as mistakes:
        _refuse(session, [str(problem) for problem in mistakes.problems], output)
        ctx.exit(EXIT_CONFIG)
    except CrewdError as cause:
        click.echo(plain(cause), err=True)
        ctx.exit(EXIT_FAILED)
    if output == "json":
        session.show_json({"problems": [], "warnings": warnings, "workers": workers, "instances": instances})
    else:
        session.show([*(f"warning: {plain(warning)}" for warning in warnings), _ok(workers, instances)])
    ctx.exit(EXIT_DONE)


def _ok(workers: int, instances: int) -> str:
    return f"{counted(workers, 'worker')}, {counted(instances, 'instance')}: ok"


def _refuse(session: Session, problems: list[str], output: str) -> None:
    if output == "json":
        session.show_json({"problems": problems, "warnings": []})
    else:
        click.echo("\n".join(map(plain, problems)), err=True)


def _rehearsed(config: str | None) -> tuple[list[str], int, int]:
    """Load, render and verify; return the warnings, and how many workers and instances there are."""
    from crewd.apply import check as rehearse  # noqa: PLC0415 - the other commands are quick
    from crewd.apply import load_here  # noqa: PLC0415 - as above
    from crewd.config.home import home_from  # noqa: PLC0415 - as above

    home = home_from(os.environ)
    source = config or home.config
    loaded, surroundings = load_here(source, home)
    rehearse(loaded.spec, surroundings, home, source)
    workers = loaded.spec.workers.values()
    return [str(warning) for warning in loaded.warnings], len(workers), sum(worker.instances for worker in workers)
