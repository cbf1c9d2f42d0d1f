"""The shape of what a worker wrote."""

from typing import Literal

from typing_extensions import TypedDict

from crewd.api.describing import SSE, Answer, shape, text


@shape
class Output(TypedDict):
    """Lines that an instance wrote."""

    worker_id: str
    instance: str
    stream: Literal["stdout", "stderr", "all"]
    lines: list[str]
    streams: list[Literal["stdout", "stderr"]] | None
    """Of all streams: for each line where it was written to; else null."""
    cut: str
    """Why there may be more lines than were given; else empty."""
    dated: bool
    """False where nobody knows of some of the lines whether they are older than was asked for."""
    ordered: bool
    """False where the order of lines of different streams is not known."""


_TEXT = text(
    "2026-01-31 09:00:00 listening\n",
    headers={
        "crewd-cut": "Why there may be more lines than were given.",
        "crewd-dated": "no, where nobody knows of some of the lines whether they are older than was asked for.",
        "crewd-ordered": "no, where the order of lines of different streams is not known.",
    },
)
_STREAM = ': lines\n\nevent: line\ndata: {"instance":"web-0","stream":"stdout","line":"listening"}\n\n'
OUTPUT = Answer(
    Output,
    {
        "worker_id": "web",
        "instance": "web-0",
        "stream": "stdout",
        "lines": ["2026-01-31 09:00:00 listening"],
        "streams": None,
        "cut": "",
        "dated": True,
        "ordered": True,
    },
    "The lines; with follow=true, as text or as a stream of messages, also those that come, for ever.",
    also=(_TEXT, text(_STREAM, media=SSE)),
    refuses=(406,),
)
