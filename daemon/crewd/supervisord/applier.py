"""Runs ``crewd-apply`` as a child: it alone writes what supervisord trusts.

Exit 78 brings one mistake per line on standard error, 0 one JSON object on standard output, anything else one sentence.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

from crewd.model.offer import Offer, encode, rulings_from_json
from crewd.reconcile.port import Applied, ApplyFailed, ApplyRefused, ApplyResult

DEADLINE_SEC = 120.0
TOUCHED = ("added", "changed", "restarted", "removed")
PLAN = (*TOUCHED, "kept")


class ApplyChild:
    """Implements ``reconcile.port.Renderer``."""

    def __init__(
        self,
        config: str,
        environ: Mapping[str, str],
        command: Sequence[str] = (sys.executable, "-P", "-m", "crewd.apply"),
    ) -> None:
        self._command = (*command, "-c", config, "--api-workers")
        self._environ = dict(environ)

    async def apply(self, offers: Sequence[Offer]) -> ApplyResult:
        """Load, admit, render, verify, switch, and tell a running engine."""
        return await self._run(offers)

    async def check(self, offers: Sequence[Offer]) -> ApplyResult:
        """Load, admit, render and verify; touch nothing."""
        return await self._run(offers, "--check-only")

    async def _run(self, offers: Sequence[Offer], *options: str) -> ApplyResult:
        try:
            child = await asyncio.create_subprocess_exec(
                *self._command,
                *options,
                env=self._environ,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as cause:
            return ApplyFailed(f"cannot run crewd-apply: {cause.strerror}")
        try:
            async with asyncio.timeout(DEADLINE_SEC):
                output, complaint = await child.communicate(encode(offers))
        except TimeoutError:
            return ApplyFailed(f"cannot apply: crewd-apply took longer than {DEADLINE_SEC:g} s")
        finally:
            _end(child)
        return read_result(child.returncode or 0, output, complaint.decode(errors="replace"))


def read_result(code: int, output: bytes, complaint: str) -> ApplyResult:
    """Return what an ended ``crewd-apply`` meant."""
    lines = tuple(line for line in complaint.splitlines() if line.strip())
    if code == os.EX_CONFIG:
        return ApplyRefused(lines or ("crewd-apply refused the configuration without a word",))
    if code != 0:
        return ApplyFailed(lines[-1] if lines else f"cannot apply: crewd-apply exited with {code}")
    try:
        members: Any = json.loads(output)
        return _applied(members)
    except (ValueError, TypeError, KeyError, AttributeError) as cause:
        return ApplyFailed(f"cannot read the answer of crewd-apply: {cause!r}")


def _applied(members: Mapping[str, Any]) -> Applied:
    told: Mapping[str, Any] = members.get("plan") or {}
    plan = {key: _count_or_names(told[key]) for key in PLAN if key in told}
    return Applied(
        name=str(members["name"]),
        changed=bool(members["changed"]),
        plan=_done(plan, members.get("engine") or {}),
        warnings=tuple(str(warning) for warning in members.get("warnings") or ()),
        told=members.get("engine") is not None,
        unconfirmed=str(members.get("unconfirmed") or ""),
        rulings=rulings_from_json(members.get("api_workers") or {}),
    )


def _done(plan: Mapping[str, int | tuple[str, ...]], engine: Mapping[str, Any]) -> dict[str, int | tuple[str, ...]]:
    """Return the plan with what the engine did in its place: it undoes drift too, of which the files know nothing."""
    done = {key: _count_or_names(engine[key]) for key in TOUCHED if key in engine}
    return {**plan, **done, "kept": max(0, _here(plan) + _number(plan.get("kept", 0)) - _here({**plan, **done}))}


def _here(plan: Mapping[str, int | tuple[str, ...]]) -> int:
    """Return how many instances were touched, and are in the crew."""
    return sum(_number(plan.get(key, 0)) for key in TOUCHED if key != "removed")


def _number(value: int | tuple[str, ...]) -> int:
    return value if isinstance(value, int) else len(value)


def _count_or_names(value: Any) -> int | tuple[str, ...]:
    return value if isinstance(value, int) else tuple(str(name) for name in cast("list[object]", value))


def _end(child: asyncio.subprocess.Process) -> None:
    """Leave nothing behind where we did not wait for its end."""
    if child.returncode is None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
