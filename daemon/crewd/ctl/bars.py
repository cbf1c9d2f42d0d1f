"""Bars and curves made of letters, and sizes of memory. Pure."""

from collections.abc import Sequence

from crewd.ctl.screen import Screen

_EIGHTHS = " ▏▎▍▌▋▊▉"
_FULL = "█"
_STEPS = "▁▂▃▄▅▆▇█"
_ASCII_STEPS = "_.-=+*%#"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_FACTOR = 1024


def bar(share: float, width: int, screen: Screen) -> str:
    """Return a bar of at most ``width`` cells; what is not nothing is seen."""
    share = min(1.0, max(0.0, share))
    if not screen.symbols:
        return "#" * max(round(share * width), 1 if share else 0)
    eighths = max(round(share * width * 8), 1 if share else 0)
    return _FULL * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def curve(values: Sequence[float | None], most: float, screen: Screen) -> str:
    """Return a letter for each value, the higher the value the higher; a blank where it is not known."""
    steps = _STEPS if screen.symbols else _ASCII_STEPS
    return "".join(" " if value is None else steps[_step(value, most)] for value in values)


def _step(value: float, most: float) -> int:
    share = value / most if most > 0 else 0.0
    return min(len(_STEPS) - 1, max(0, int(share * len(_STEPS))))


def size(count: float | None) -> str:
    """Return a number of bytes for people: three digits, and the unit."""
    if count is None:
        return "-"
    unit = 0
    while count >= _FACTOR - 0.5 and unit < len(_UNITS) - 1:
        count, unit = count / _FACTOR, unit + 1
    digits = 0 if unit == 0 or count >= 99.95 else 1 if count >= 9.995 else 2  # noqa: PLR2004 - of three digits
    return f"{count:.{digits}f} {_UNITS[unit]}"
