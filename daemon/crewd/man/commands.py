"""From a command of click's to its part of a page: the words are those of `--help`."""

import inspect
import re
from collections.abc import Iterator

import click

from crewd.man.roff import Page, bold, escaped, italic

_AS_IT_IS = "\b"
"""Begins a paragraph whose lines click does not fill."""
_STATUS = re.compile(r" *(\d+)  (.+)")
_PIECE = re.compile(r"(--?[A-Za-z][\w-]*)|([A-Z][A-Z_]+)")


def purpose(command: click.Command) -> str:
    """Return what a command is for, as the line under NAME has it."""
    first = inspect.cleandoc(command.help or "").partition("\n\n")[0]
    words = " ".join(first.split()).removesuffix(".")
    return words[:1].lower() + words[1:]


def called(name: str, command: click.Command, parent: click.Context | None = None) -> click.Context:
    """Return a command as it is called by its name."""
    return click.Context(command, parent=parent, info_name=name, **command.context_settings)


def below(context: click.Context) -> Iterator[click.Context]:
    """Yield the commands of a group, and those of the groups among them."""
    if isinstance(context.command, click.Group):
        for word in context.command.list_commands(context):
            command = context.command.get_command(context, word)
            if command is not None and not command.hidden:
                child = called(word, command, context)
                yield child
                yield from below(child)


def synopsis(context: click.Context) -> str:
    """Return how a command is called, as roff."""
    pieces = context.command.collect_usage_pieces(context)
    return " ".join([bold(context.command_path), *(marked(piece) for piece in pieces)])


def marked(text: str) -> str:
    """Return options in bold, and what one puts in their place in italics."""
    shown, end = "", 0
    for found in _PIECE.finditer(text):
        shown += escaped(text[end : found.start()]) + (bold(found[1]) if found[1] else italic(found[2]))
        end = found.end()
    return shown + escaped(text[end:])


def describe(page: Page, command: click.Command) -> None:
    """Add what it does."""
    for paragraph in paragraphs(command.help):
        page.paragraph(paragraph)


def options(page: Page, context: click.Context) -> None:
    """Add its options, each with what it means. The one that all commands have stands at the first of them."""
    command = context.command
    for parameter in command.get_params(context) if context.parent is None else command.params:
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            page.item(marked(record[0]), record[1])


def closing(page: Page, command: click.Command) -> None:
    """Add what stands below the options: examples, exit statuses."""
    for title, lines in _epilog(command).items():
        page.paragraph(f"{title}:")
        if statuses := _statuses(lines):
            page.line(".RS 4\n.PD 0")
            for status, meaning in statuses.items():
                page.item(bold(status), meaning)
            page.line(".PD\n.RE")
        else:
            page.literal(lines)


def examples(command: click.Command) -> list[str]:
    """Return what one may type."""
    return _epilog(command).get("Examples", [])


def statuses(command: click.Command) -> dict[str, str]:
    """Return what each exit status means."""
    return _statuses(_epilog(command).get("Exit status", []))


def paragraphs(text: str | None) -> list[str]:
    """Return the paragraphs of a help."""
    return [one for one in inspect.cleandoc(text or "").split("\n\n") if one.strip()]


def _epilog(command: click.Command) -> dict[str, list[str]]:
    """Return the paragraphs below the options that click leaves as they are: the lines of each, by its title."""
    found: dict[str, list[str]] = {}
    for paragraph in paragraphs(command.epilog):
        mark, *lines = paragraph.split("\n")
        if mark == _AS_IT_IS:
            title, *lines = lines
            found[title.removesuffix(":")] = [line.removeprefix("  ") for line in lines]
    return found


def _statuses(lines: list[str]) -> dict[str, str]:
    found = [_STATUS.fullmatch(line) for line in lines]
    return {one[1]: one[2] for one in found if one}
