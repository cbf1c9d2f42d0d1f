"""What stands below the options of a command in its help and its man page: examples, and what exit statuses mean."""

from collections.abc import Mapping, Sequence

_AS_IT_IS = "\b\n"
"""What keeps click from filling the lines of a paragraph."""


def closing(examples: Sequence[str], statuses: Mapping[int, str]) -> str:
    """Return the epilog of a command: a paragraph for each of both, where there is any."""
    lines = {"Examples:": examples, "Exit status:": [f"{code:3}  {words}" for code, words in sorted(statuses.items())]}
    return "\n\n".join(_paragraph(title, below) for title, below in lines.items() if below)


def _paragraph(title: str, lines: Sequence[str]) -> str:
    return _AS_IT_IS + "\n".join([title, *(f"  {line}" for line in lines)])
