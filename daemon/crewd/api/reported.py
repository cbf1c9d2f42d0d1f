"""What the instances of a worker said of themselves, taken together."""

from collections.abc import Iterable
from typing import Any

from crewd.api.envelope import iso
from crewd.model.report import Heartbeat
from crewd.reconcile.heartbeats import NO_PULSE
from crewd.reconcile.view import View


def reported(view: View, instances: Iterable[str]) -> dict[str, Any]:
    """Return the sums; null where none of them said anything, or nothing of that."""
    pulses = [view.heartbeats.of.get(name, NO_PULSE) for name in instances]
    heard = [pulse.heartbeat for pulse in pulses if pulse.heartbeat is not None]
    return {
        "assigned_accounts": summed(heard, "assigned_accounts"),
        "active_tasks": summed(heard, "active_tasks"),
        "reported_errors": summed(heard, "error_count"),
        "last_heartbeat_at": iso(max((one.at for one in heard), default=None)),
        "heartbeat_stale": any(pulse.stale for pulse in pulses) if heard or any(p.stale for p in pulses) else None,
    }


def summed(heard: Iterable[Heartbeat], name: str) -> int | None:
    """Return the sum of what they said; None where none said it."""
    said = [value for one in heard if (value := getattr(one, name)) is not None]
    return sum(said) if said else None
