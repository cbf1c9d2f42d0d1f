"""From the reference page of the configuration, which is made from its keys, to a part of a man page.

That page has headings, paragraphs, lists, blocks of YAML and tables of keys, and nothing else of Markdown.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from posixpath import join, normpath

from crewd.man.roff import Page, bold, escaped, prose

_HERE = "/usr/share/doc/crewd/docs/reference"
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#]*)[^)]*\)")
_CELLS = re.compile(r"(?<!\\)\|")
_COLUMNS = 3


def add_reference(page: Page, markdown: str) -> None:
    """Add all of it but its title."""
    body = re.sub(r"<!--.*?-->", "", markdown, flags=re.DOTALL)
    for block in _blocks(body):
        _add(page, block)


def _blocks(text: str) -> Iterator[list[str]]:
    """Yield what blank lines divide."""
    for blank, lines in groupby(text.split("\n"), key=lambda line: not line.strip()):
        if not blank:
            yield list(lines)


def _add(page: Page, lines: list[str]) -> None:
    first = lines[0]
    if first.startswith("# "):
        return
    if first.startswith("#"):
        page.below(_heading(first.lstrip("# ")))
    elif first.startswith("```"):
        page.literal(line for line in lines if not line.startswith("```"))
    elif first.startswith("|"):
        for row in lines[2:]:
            _row(page, row)
    elif first.startswith("- "):
        for point in re.split(r"\n- ", "\n".join(lines).removeprefix("- ")):
            page.item("\\(bu", _plain(point))
    else:
        page.paragraph(_plain("\n".join(lines)))


def _heading(words: str) -> str:
    return prose(words)


def _row(page: Page, row: str) -> None:
    """Add a key: its name, below it its type and its default, then what it means."""
    cells = [cell.strip().replace("\\|", "|").replace("&lt;", "<") for cell in _CELLS.split(row)[1:-1]]
    name, kind, *default, meaning = cells
    told = f" ({default[0]})" if default and default[0] == "required" else ""
    told = told or (f" (default: {default[0]})" if default and default[0] else "")
    page.item(" ".join(bold(word) for word in re.findall(r"`([^`]+)`", name)) or escaped(name), f"{kind}{told}")
    page.line(".br")
    page.line(prose(_plain(meaning)))


def _plain(text: str) -> str:
    """Return text that names the file of each link, where a package has it: there is nothing to follow."""
    return _LINK.sub(lambda link: f"{link[1]} ({normpath(join(_HERE, link[2]))})" if link[2] else link[1], text)
