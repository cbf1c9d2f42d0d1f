"""APPLIED: what putting a configuration in force came to, as JSON."""

from typing import Any

from crewd.reconcile.port import Applied

PLAN = ("added", "changed", "restarted", "removed")


def applied_shape(applied: Applied | None) -> dict[str, Any] | None:
    """Return APPLIED; None where nothing had to be done."""
    if applied is None:
        return None
    plan: dict[str, Any] = {key: _names(applied.plan.get(key, ())) for key in PLAN}
    kept = applied.plan.get("kept", 0)
    plan["kept"] = kept if isinstance(kept, int) else len(kept)
    return {
        "name": applied.name,
        "changed": applied.changed,
        "plan": plan,
        "warnings": list(applied.warnings),
        "told": applied.told,
        "unconfirmed": applied.unconfirmed,
    }


def _names(value: int | tuple[str, ...]) -> list[str]:
    return [] if isinstance(value, int) else list(value)
