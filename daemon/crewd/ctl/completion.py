"""``crewctl completion``: the script that has a shell complete what is typed."""

import click

from crewd.ctl.exits import EXIT_DONE, EXIT_USAGE
from crewd.manual import closing
from crewd.shells import SHELLS, script


@click.command(
    epilog=closing(
        ("source <(crewctl completion bash)",), {EXIT_DONE: "It was printed.", EXIT_USAGE: "There is no such shell."}
    )
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    It has the shell complete commands, options and the names of the crew.
    """
    click.echo(script(ctx.find_root().command, "crewctl", shell), nl=False)
