"""The keys of a worker: what it is told of itself, and what others know it by."""

from enum import StrEnum

from crewd.config.key import Key
from crewd.config.kinds import Choice, Duration, Text, Whole
from crewd.config.worker_kinds import LABELS


class _Deployment(StrEnum):
    """Where a worker runs. Only ``local`` is built."""

    LOCAL = "local"
    DOCKER = "docker"
    SSH = "ssh"
    REMOTE = "remote"
    KUBERNETES = "kubernetes"
    PM2 = "pm2"


_NOT_BUILT = dict.fromkeys(
    (word.value for word in _Deployment if word is not _Deployment.LOCAL),
    "this version runs workers on this machine only: write local",
)

DESCRIPTION = (
    Key(
        "name",
        Text(most=200),
        "name",
        "A name for people, passed to each instance as WORKER_NAME.",
        example="Example",
        in_defaults=False,
    ),
    Key("labels", LABELS, "labels", "Words to select workers by. Those of `defaults` are added.", elsewhere=("tags",)),
    Key(
        "host",
        Text("a host name or address", r"^[A-Za-z0-9.:_-]+$", 255),
        "host",
        "Passed to each instance as HOST.",
        example="127.0.0.1",
    ),
    Key("port", Whole(1, 65535), "port", "Passed to each instance as PORT.", example="4001", in_defaults=False),
    Key(
        "max_accounts",
        Whole(0, 1_000_000_000),
        "max_accounts",
        "How many accounts the worker may serve: passed to each instance as MAX_ACCOUNTS.",
        example="10",
    ),
    Key(
        "heartbeat_stale_sec",
        Duration(above=True, endless=True),
        "heartbeat_stale_sec",
        "How long an instance may be silent before its heartbeat counts as stale, also before the first after a start; "
        "infinity: for ever. Unset: 90s for an instance that ever sent one, and none is expected of others.",
        example="90s",
    ),
    Key(
        "deployment_type",
        Choice(_Deployment, _NOT_BUILT),
        "",
        "Where the worker runs. Only local, this machine, is built.",
        example="local",
    ),
)
