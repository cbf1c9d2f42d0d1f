"""The text exposition format, version 0.0.4, as far as crewd writes it by itself.

prometheus_client writes 40,000 lines in 130 ms and all of them anew each time; these are written once and kept.
"""

from collections.abc import Iterable

from crewd.metrics.families import Family
from crewd.policy.accounting import worker_of

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


def head(family: Family) -> bytes:
    """Return the two lines before the samples of a family."""
    words = family.help.translate(_HELP_ESCAPES)
    return encoded([f"# HELP {family.name} {words}\n# TYPE {family.name} {family.kind}\n"])


def labelled(worker: str) -> str:
    """Return the label of a worker, without braces."""
    return f'worker="{worker.translate(_ESCAPES)}"'


def labelled_instance(instance: str) -> str:
    """Return the labels of an instance, without braces."""
    return f'{labelled(worker_of(instance))},instance="{instance.translate(_ESCAPES)}"'


def number(value: float) -> str:
    """Return a finite number: whole ones without a point."""
    return str(int(value)) if value == int(value) else repr(value)


def encoded(lines: Iterable[str]) -> bytes:
    """Return the lines as they are sent; a name that is no Unicode, as a file name may be, gets question marks."""
    return "".join(lines).encode(errors="replace")
