"""The command line of the daemon. Parts are imported by the command that needs them: ``crewd --help`` is quick."""

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crewd import __version__
from crewd.errors import ConfigError, CrewdError
from crewd.manual import closing
from crewd.wording import counted

if TYPE_CHECKING:
    from crewd.config import Loaded
    from crewd.model.home import Home
    from crewd.supervisord.surroundings import Surroundings

_config = click.option(
    "-c", "--config", type=click.Path(), metavar="FILE", help="Take this configuration. The default is the home's own."
)


_CHECKED = {
    0: "It is right.",
    1: "It could not be looked at.",
    2: "It was used wrongly.",
    os.EX_CONFIG: "The configuration is wrong: there is a line for each mistake.",
}


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=closing(("crewd check -c crew.yaml", "crewd run -c crew.yaml"), {}),
)
@click.version_option(__version__, prog_name="crewd")
def main() -> None:
    """Keep a crew of workers running.

    The workers are described in a file; without -c it is that of $CREWD_HOME, or /etc/crewd/crewd.yaml. What runs is
    shown and steered by crewctl.
    """


@main.command(
    epilog=closing(
        ("crewd run", "CREWD_HOME=$PWD/.crewd crewd run -c crew.yaml --log-level debug"),
        {
            0: "It was ended, by TERM, INT or `crewctl shutdown`.",
            1: "It could not run, or not go on.",
            2: "It was used wrongly.",
            os.EX_CONFIG: "The configuration is wrong: starting it again without a change is in vain.",
        },
    )
)
@_config
@click.option(
    "--log-format",
    type=click.Choice(["plain", "json"]),
    default="plain",
    show_default=True,
    help="Write the log in this form, to standard error.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Write what matters as much, or more.",
)
def run(config: str | None, log_format: str, log_level: str) -> None:
    """Run the daemon in the foreground.

    It applies the configuration, and starts a supervisord where none answers. HUP has it read the configuration again,
    TERM and INT end it; whether the workers end with it is said by on_shutdown.
    """
    from crewd.app import init, secrecy  # noqa: PLC0415 - quick start of the other commands

    secrecy.keep()
    if init.needed():
        init.fork()  # before anything else is imported: what goes on here is a child

    from crewd.app import daemon, logs  # noqa: PLC0415 - as above

    logs.configure(os.environ, logs.LogFormat(log_format), log_level)
    sys.exit(daemon.run(config, os.environ))


@main.command(epilog=closing(("crewd check", "crewd check -c crew.yaml"), _CHECKED))
@_config
def check(config: str | None) -> None:
    """Check the configuration, and touch nothing.

    All mistakes of all its files are told at once, each with its place: FILE:LINE:COLUMN: KEY: what is wrong.
    """
    with _refusals():
        from crewd import apply  # noqa: PLC0415 - as above

        loaded, surroundings, home, path = _load(config)
        apply.check(loaded.spec, surroundings, home, path)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}")
    workers = loaded.spec.workers
    instances = sum(worker.instances for worker in workers.values())
    click.echo(f"{counted(len(workers), 'worker')}, {counted(instances, 'instance')}: ok")


@main.command(epilog=closing(("crewd render -c crew.yaml",), {**_CHECKED, 0: "It was printed."}))
@_config
def render(config: str | None) -> None:
    """Print the configuration of supervisord that the file means.

    Secrets are masked, and nothing is written.
    """
    with _refusals():
        from crewd.supervisord.render import render as rendered  # noqa: PLC0415 - as above
        from crewd.supervisord.secrets import masked  # noqa: PLC0415 - as above

        loaded, surroundings, home, path = _load(config)
        spec, surroundings = masked(loaded.spec, surroundings)
        text = rendered(spec, home, surroundings, path).conf_text
    click.echo(text, nl=False)


@main.command(
    epilog=closing(
        ("crewd schema", "crewd schema --sample > crew.yaml"), {0: "It was printed.", 2: "It was used wrongly."}
    )
)
@click.option("--sample", is_flag=True, help="Print a commented sample file instead.")
def schema(*, sample: bool) -> None:
    """Print the JSON Schema of the configuration."""
    from crewd import config  # noqa: PLC0415 - as above

    click.echo(config.sample() if sample else json.dumps(config.json_schema(), indent=2))


@main.command(
    epilog=closing(("source <(crewd completion bash)",), {0: "It was printed.", 2: "There is no such shell."})
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    It has the shell complete commands and options.
    """
    from crewd import shells  # noqa: PLC0415 - as above

    click.echo(shells.script(main, "crewd", shell), nl=False)


@main.command(
    "install-units",
    epilog=closing(
        ("crewd install-units", "crewd install-units --destination /usr/lib/systemd/system --bin /opt/crewd/bin"),
        {0: "They are written.", 1: "They cannot be written there.", 2: "It was used wrongly."},
    ),
)
@click.option(
    "--destination",
    type=click.Path(),
    default="/etc/systemd/system",
    show_default=True,
    metavar="DIR",
    help="Write into this directory of systemd's units. sysusers.d and tmpfiles.d lie beside it.",
)
@click.option(
    "--bin",
    "executables",
    type=click.Path(),
    metavar="DIR",
    help="Start crewd's executables from here; without it, from beside the Python that runs.",
)
def install_units(destination: str, executables: str | None) -> None:
    """Write the units for systemd.

    And what they need: the user crewd, and the directories with their owners and modes. It starts nothing, and says
    what to do next. The Debian package has them already.
    """
    from crewd import units  # noqa: PLC0415 - as above

    executables = executables or str(Path(sys.executable).parent)
    with _refusals():
        for place in units.install(destination, executables):
            click.echo(f"wrote {place}")
    click.echo(units.NEXT.replace(units.BIN, executables))


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
        sys.exit(os.EX_CONFIG)
    except CrewdError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
