"""One entry of ``reset.actions`` carried out: its plugin opened, asked for one act after another, closed.

Rules:

1. All of it ends by the plugin's deadline; what was not done by then has failed, and says so.
2. Every act that the plugin announced has a step at least. One that fails does not stop the others, unless the other
   side does not answer at all.
3. A plugin may raise anything: it becomes a step that failed, without the plugin's secrets.
"""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import structlog

from crewd.errors import CrewdError
from crewd.model.spec import ResetAction
from crewd.plugin import Act, NoAnswer, Occasion, Reset, Step, masked, reset_type

CLOSE_SEC = 1.0
ERROR_MOST = 500

_log: Any = structlog.get_logger("crewd")


async def cleared(action: ResetAction, occasion: Occasion) -> list[Step]:
    """Carry it out; return the steps in order. Never fails."""
    try:
        plugin = reset_type(action.type)(action.options)
        acts = plugin.acts()
    except Exception as error:  # noqa: BLE001 - the loader built it once, so its module has changed since
        return [Step(action.type, success=False, error=f"cannot use reset type {action.type!r}: {error!r}")]
    clearing = _Clearing(plugin, acts, occasion)
    try:
        async with asyncio.timeout(plugin.deadline_sec):
            await clearing.run()
    except TimeoutError:
        clearing.give_up(f"not done within {plugin.deadline_sec:g} s")
    finally:
        await _closed(plugin)
    return [_clean(step, plugin) for step in clearing.steps]


class _Clearing:
    def __init__(self, plugin: Reset[Any], acts: tuple[Act, ...], occasion: Occasion) -> None:
        self.steps: list[Step] = []
        self._plugin = plugin
        self._left = list(acts)
        self._occasion = occasion

    async def run(self) -> None:
        """Do what is left."""
        try:
            await self._plugin.open()
        except Exception as error:  # noqa: BLE001 - a plugin's
            self.give_up(self._said(error))
        while self._left:
            await self._perform(self._left[0])

    def give_up(self, why: str) -> None:
        """Let all that is left have failed."""
        for act in self._left:
            self._fail(act, why)
        self._left.clear()

    async def _perform(self, act: Act) -> None:
        try:
            await self._steps_of(act)
        except NoAnswer as silent:
            self.give_up(self._said(silent))
            return
        except Exception as error:  # noqa: BLE001 - a plugin's
            self._fail(act, self._said(error))
        self._left.pop(0)

    async def _steps_of(self, act: Act) -> None:
        async with aclosing(self._plugin.perform(act, self._occasion)) as steps:
            async for step in steps:
                self.steps.append(step)

    def _fail(self, act: Act, why: str) -> None:
        self.steps.append(Step(act.action, act.key, success=False, error=why))

    def _said(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return str(error) or "no answer in time"
        if isinstance(error, CrewdError | OSError):
            return str(error)
        said = masked(repr(error), self._plugin.secrets)
        _log.error("a reset's plugin failed", plugin=type(self._plugin).__name__, error=said)
        return f"its plugin failed: {said}"


async def _closed(plugin: Reset[Any]) -> None:
    try:
        async with asyncio.timeout(CLOSE_SEC):
            await plugin.close()
    except Exception as error:  # noqa: BLE001 - a plugin's; it was not to be told
        _log.debug("a reset's plugin did not close", plugin=type(plugin).__name__, error=type(error).__name__)


def _clean(step: Step, plugin: Reset[Any]) -> Step:
    """Return the step without secrets: in its error, and in the texts of its details."""
    secrets = plugin.secrets
    details = {name: masked(text, secrets) if isinstance(text, str) else text for name, text in step.details.items()}
    return replace(step, error=" ".join(masked(step.error, secrets).split())[:ERROR_MOST], details=details)
