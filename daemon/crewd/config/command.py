r"""A command written as one string: split into words as a shell would, and never given to a shell.

Rules:

1. Quotes and backslashes mean what they mean to sh, except that between double quotes a backslash protects " and \
   alone (shlex). Nothing else has a meaning.
2. A sign that a shell would act on is refused unless quoted: the operator meant something that would not happen.
3. Wildcards reach the program as they stand, which is sometimes meant: a warning.
"""

import shlex
from dataclasses import dataclass

_ACTED_ON = {
    **dict.fromkeys("|&;<>()", "a shell's operator"),
    **dict.fromkeys("$`", "a shell's substitution"),
    "\n": "a shell's end of command",
}
_IN_DOUBLE_QUOTES = frozenset("$`")
_PROTECTED = frozenset('"\\')
_WILDCARDS = frozenset("*?[")


class ShellWantedError(ValueError):
    """The command relies on a shell."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a command. ``wildcards``: the signs that a shell would have expanded."""

    argv: tuple[str, ...]
    wildcards: tuple[str, ...] = ()


def split(text: str) -> Words:
    """Return the words; raises ShellWantedError, or ValueError where quotes are left open."""
    text = text.strip(" \t\n")
    try:
        argv = tuple(shlex.split(text))
    except ValueError as cause:
        raise ValueError(f"cannot be split into words: {str(cause)[0].lower()}{str(cause)[1:]}") from None
    wildcards: list[str] = []
    for sign, quoted in _unescaped(text):
        if sign in _ACTED_ON and not (quoted and sign not in _IN_DOUBLE_QUOTES):
            name = "a line break" if sign == "\n" else sign
            raise ShellWantedError(
                f"{name} is {_ACTED_ON[sign]}, and no shell is used: quote it, or write [sh, -c, '…'] to have a shell"
            )
        if sign in _WILDCARDS and not quoted:
            wildcards.append(sign)
    if argv and "=" in argv[0] and "/" not in argv[0].partition("=")[0]:
        raise ShellWantedError("begins with an assignment, and no shell is used: put variables under 'environment'")
    if any(word == "~" or word.startswith("~/") for word in text.split()):
        wildcards.append("~")
    return Words(argv, tuple(wildcards))


def _unescaped(text: str) -> list[tuple[str, bool]]:
    """Return the signs that neither a backslash nor single quotes protect, and whether double quotes hold them."""
    signs: list[tuple[str, bool]] = []
    quote = ""
    rest = iter(text)
    for sign in rest:
        if quote == "'":
            quote = "" if sign == "'" else quote
        elif sign == "\\":
            protected = next(rest, "")
            if quote and protected not in _PROTECTED:
                signs.append((protected, True))
        elif quote and sign == quote:
            quote = ""
        elif not quote and sign in "'\"":
            quote = sign
        else:
            signs.append((sign, bool(quote)))
    return signs
