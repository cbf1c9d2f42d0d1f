"""``crewctl completion``: the script that has a shell complete what is typed."""

import click

from crewd.shells import SHELLS, script


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that has a shell complete crewctl's commands, options and names."""
    click.echo(script(ctx.find_root().command, "crewctl", shell), nl=False)
