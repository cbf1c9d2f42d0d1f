"""The command line of the daemon. Parts are imported by the command that needs them: ``crewd --help`` is quick."""

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from crewd import __version__
from crewd.errors import ConfigError, CrewdError

if TYPE_CHECKING:
    from crewd.config import Loaded
    from crewd.model.home import Home
    from crewd.supervisord.surroundings import Surroundings

EX_CONFIG = 78

_config = click.option(
    "-c", "--config", type=click.Path(), metavar="FILE", help="The configuration; the default is the home's own."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="crewd")
def main() -> None:
    """Keep a crew of workers running."""


@main.command()
@_config
@click.option("--log-format", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def run(config: str | None, log_format: str, log_level: str) -> None:
    """Run the daemon in the foreground; start a supervisord where none answers."""
    from crewd.app import init  # noqa: PLC0415 - quick start of the other commands

    if init.needed():
        init.fork()  # before anything else is imported: what goes on here is a child

    from crewd.app import daemon, logs  # noqa: PLC0415 - as above

    logs.configure(os.environ, logs.LogFormat(log_format), log_level)
    sys.exit(daemon.run(config, os.environ))


@main.command()
@_config
def check(config: str | None) -> None:
    """Validate everything, touch nothing."""
    with _refusals():
        from crewd import apply  # noqa: PLC0415 - as above

        loaded, surroundings, home, path = _load(config)
        apply.check(loaded.spec, surroundings, home, path)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}")
    workers = loaded.spec.workers
    instances = sum(worker.instances for worker in workers.values())
    click.echo(f"{len(workers)} workers, {instances} instances: ok")


@main.command()
@_config
def render(config: str | None) -> None:
    """Print the supervisord configuration; secrets are masked."""
    with _refusals():
        from crewd.supervisord.render import render as rendered  # noqa: PLC0415 - as above
        from crewd.supervisord.secrets import masked  # noqa: PLC0415 - as above

        loaded, surroundings, home, path = _load(config)
        spec, surroundings = masked(loaded.spec, surroundings)
        text = rendered(spec, home, surroundings, path).conf_text
    click.echo(text, nl=False)


@main.command()
@click.option("--sample", is_flag=True, help="A commented sample file instead.")
def schema(*, sample: bool) -> None:
    """Print the JSON Schema of the configuration."""
    from crewd import config  # noqa: PLC0415 - as above

    click.echo(config.sample() if sample else json.dumps(config.json_schema(), indent=2))


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that has a shell complete crewd's commands and options."""
    from crewd import shells  # noqa: PLC0415 - as above

    click.echo(shells.script(main, "crewd", shell), nl=False)


def _load(config: str | None) -> "tuple[Loaded, Surroundings, Home, str]":
    from crewd.apply import load_here  # noqa: PLC0415 - as above
    from crewd.config.home import home_from  # noqa: PLC0415 - as above

    home = home_from(os.environ)
    path = config or home.config
    return *load_here(path, home), home, path


@contextmanager
def _refusals() -> Generator[None]:
    """Show what is wrong, one line per mistake, and leave with the exit code for it."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(EX_CONFIG)
    except CrewdError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
