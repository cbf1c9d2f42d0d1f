"""What ``crewctl health`` says: a line for each worker, and below it why it is not healthy, or will not be. Pure."""

from collections.abc import Iterator, Sequence

from crewd.ctl.screen import Screen, cells
from crewd.wording import Members, plain

INDENT = "    "


def lines(answers: Sequence[Members], screen: Screen) -> list[str]:
    """Return the lines: of the API's answers."""
    width = max((cells(plain(one["worker_id"])) for one in answers), default=0)
    return [line for one in answers for line in _of(one, width, screen)]


def _of(one: Members, width: int, screen: Screen) -> Iterator[str]:
    name = plain(one["worker_id"])
    sign, colour = (("✓", "+"), "green") if one["healthy"] else (("✗", "x"), "red")
    word = "healthy" if one["healthy"] else f"not healthy ({plain(one['status'])})"
    text = screen.fit(f"{screen.sign(*sign)} {name}{' ' * (width - cells(name))}  {word}")
    yield screen.paint(colour, text[:1]) + text[1:]
    for members, colour in (("reasons", "red"), ("warnings", "yellow")):
        for reason in one[members]:
            yield screen.paint(colour, screen.fit(INDENT + plain(reason["message"])))
