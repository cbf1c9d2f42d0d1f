"""What a request may have in its body. Unknown members are refused: a misspelt one must not be passed over."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

NAMES_MOST = 1000
CLAIM_MOST = 200
REASON_MOST = 1000

Action = Literal["start", "stop", "restart", "reset-failed"]


class Body(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Options(Body):
    """How. ``graceful: false``: what is stopped is killed at once."""

    graceful: Annotated[bool, Field(strict=True)] = True


class Batch(Body):
    """What is done, and to whom: workers, instances, worker:*, label=value, or * for all."""

    action: Action
    worker_ids: Annotated[list[str], Field(min_length=1, max_length=NAMES_MOST, examples=[["web", "mail-0"]])]
    options: Options = Options()


class Shutdown(Body):
    """``keep``: leave a supervisord alone that the end of the daemon would leave."""

    keep: bool = False


class Claims(Body):
    """Who asks, and why: claims, which are kept beside who really asked."""

    user: Annotated[str | None, Field(max_length=CLAIM_MOST, examples=["ops"])] = None
    reason: Annotated[str | None, Field(max_length=REASON_MOST, examples=["the scan lock hangs"])] = None


class Hurried(Claims):
    """How it is stopped; who asks, and why."""

    options: Options = Options()


class Restart(Claims):
    """Which worker, null: the one that is meant by default; who asks, and why."""

    worker_id: Annotated[str | None, Field(min_length=1, max_length=CLAIM_MOST, examples=["ingest"])] = None
