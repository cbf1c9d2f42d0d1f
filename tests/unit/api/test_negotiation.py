"""Which form of an answer is preferred."""

import pytest
from starlette.requests import Request

from crewd.api.negotiation import asks_for, preferred
from crewd.api.refusals import Refused

JSON, TEXT, SSE = "application/json", "text/plain", "text/event-stream"


def asking(*accept: str) -> Request:
    """Return a request with these headers."""
    return Request({"type": "http", "headers": [(b"accept", one.encode("latin-1")) for one in accept]})


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ((), JSON),
        (("",), JSON),
        (("*/*",), JSON),
        (("text/plain",), TEXT),
        (("TEXT/Plain; charset=utf-8",), TEXT),
        (("text/*",), TEXT),
        (("text/plain;q=0.5, application/json",), JSON),
        (("application/json;q=0.1", "text/plain;q=0.2"), TEXT),
        (("*/*;q=0.1, application/json;q=0",), TEXT),
        (("application/*, text/plain;q=0.9",), JSON),
        (("text/plain;q=nonsense, */*;q=0.1",), JSON),
        (("text/plain;q=nan, application/json;q=0.001",), JSON),
        (("text/plain;q=9e999",), TEXT),
    ],
)
def test_what_is_said_most_precisely_counts(accept: tuple[str, ...], wanted: str) -> None:
    """And of equals what is offered first."""
    assert preferred(asking(*accept), JSON, TEXT) == wanted


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "*/*;q=0", ";;;", "text", "\xff"])
def test_what_is_not_to_be_had_is_refused(accept: str) -> None:
    """With what there is."""
    with pytest.raises(Refused) as error:
        preferred(asking(accept), JSON, TEXT)

    assert (error.value.refusal.status, error.value.refusal.details) == (406, {"types": [JSON, TEXT]})


def test_a_stream_is_asked_for_by_its_name() -> None:
    """Not by whoever takes anything."""
    assert asks_for(asking("text/event-stream"), SSE)
    assert asks_for(asking("application/json, text/event-stream;q=0.1"), SSE)
    assert not asks_for(asking("*/*"), SSE)
    assert not asks_for(asking("text/event-stream;q=0"), SSE)
    assert not asks_for(asking(), SSE)
