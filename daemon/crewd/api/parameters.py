"""The parameters that several routes take, with what /openapi.json says of each."""

from typing import Annotated

from fastapi import Path, Query

from crewd.api.bodies import NAMES_MOST

Names = Annotated[
    list[str],
    Query(max_length=NAMES_MOST, description="Whom it concerns, as in a path; none: all.", examples=[["web"]]),
]
Name = Annotated[
    str, Path(description="A worker, an instance, worker:*, label=value, or * for all.", examples=["web", "web-0"])
]
One = Annotated[str, Path(description="A worker or an instance.", examples=["web", "web-0"])]
OneInstance = Annotated[
    str, Path(description="An instance, or a worker that has no more than one.", examples=["web-0", "web"])
]
Wait = Annotated[
    str | None,
    Query(description="How long to wait for what it is to come to: 30s; at most 1h. None: not.", examples=["30s"]),
]
Types = Annotated[
    list[str], Query(description="Types of the journal: docs/reference/journal.md.", examples=[["exited", "spawned"]])
]
Moment = Annotated[str | None, Query(description="ISO 8601, or how long ago.", examples=["2026-01-31T09:00:00Z", "1h"])]
PLACE = "00000001-fa4e00.9"
