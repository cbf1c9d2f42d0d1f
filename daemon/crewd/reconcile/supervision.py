"""Every decision of the daemon about supervisord, the rendering and the service manager. No I/O, no clock.

supervisord is, as seen from here:

- SOUGHT: at the beginning, nobody has answered yet whether one runs.
- AWAY: none runs. Ours is started (again); an external one is waited for.
- STARTING: we started one; it does not answer yet.
- UP: one runs and answers. ``ours`` tells whether this daemon started it.

Rules:

1. One method per event, each yields what is to be done. The loop does it in order and brings back what came of it.
2. A supervisord that was taken over is never stopped, nor is one whose RPC version is not ours told to do anything.
3. A broken configuration changes nothing: it ends the daemon only at its start, and only where no supervisord runs.
   Where a source of it cannot be read now, a database that is away, the last good rendering is what is started; an
   external supervisord starts from that by itself, whatever the file says, and is waited for.
4. An own supervisord that dies is started at once; one that dies again within STEADY_SEC is started ever more slowly.
5. What is in force on the disk must be in force in supervisord: one that answers with another table is told again.
6. One question whether a supervisord answers is under way at most, and its answer counts only where none is known of.
7. One of ours that ends without having said that it stopped its workers left some of them: the end of the daemon is
   theirs, too.
8. Where an essential worker is lost, a supervisord of ours is stopped, whatever ``on_shutdown`` says, and the daemon
   fails. One that was lost before supervisord was started is started once more: whoever started us anew wants that.
9. READY is said once: when the first rendering is in force and the picture has caught up, or there is nothing to wait
   for but an external supervisord, or a journal that cannot be written (a full disk).
"""

from dataclasses import replace
from enum import Enum, auto
from math import inf
from os import EX_CONFIG, EX_OK

from crewd.model.offer import Fate, Ruling
from crewd.model.spec import OnShutdown, SupervisordOwner
from crewd.reconcile.actions import (
    EX_FAILED,
    Actions,
    Apply,
    Attach,
    Exit,
    Kill,
    Look,
    Notify,
    Reap,
    Revive,
    Start,
    Terminate,
)
from crewd.reconcile.narrative import names, say
from crewd.reconcile.port import RPC_VERSION, Applied, ApplyFailed, ApplyRefused, ApplyResult, EngineVersion
from crewd.reconcile.wanted import Wanted

STEADY_SEC = 10.0
BACKOFF_MOST_SEC = 30.0
LOOK_AGAIN_SEC = 0.5
"""How often an external supervisord that is away is looked for."""


class Life(Enum):
    """Where supervisord is in its life; in words above."""

    SOUGHT = auto()
    AWAY = auto()
    STARTING = auto()
    UP = auto()


class Supervision:
    """The state, and one method per event."""

    def __init__(self, wanted: Wanted | None = None) -> None:
        self.wanted = wanted or Wanted()
        """What the file said when it was right last, also to an earlier daemon."""
        self.problems: tuple[str, ...] = ()
        """Why the configuration is not in force; empty where it is."""
        self.life = Life.SOUGHT
        self.version: EngineVersion | None = None
        self.ours = False
        self.stopping = False
        self.ready = False
        self._leaving = Exit(EX_OK)
        """How the daemon ends, once it is stopping and supervisord is gone."""
        self.applying = False
        self.silent = ""
        """Why it does not answer although it lives; empty where it does."""
        self._settled = False
        """The question of the first rendering is answered, one way or another."""
        self._again = False
        """Another reload was asked for while one was under way."""
        self._failures = 0
        self._started_at = -inf
        self._ever_up = False
        self._caught_up_with = ""
        self.why_gone = ""
        """How the last one ended; empty while one answers."""
        self._looking = False
        self._table = ""
        """The rendering that we put in force last; empty before the first."""
        self._told_again = ("", "")
        """The generation, and the rendering, for which supervisord was told again: once is enough."""

    @property
    def lags(self) -> bool:
        """Whether the supervisord that answers has another rendering in force than the one we put in force last."""
        version = self.version
        return bool(self._table) and version is not None and version.spoken and version.table != self._table

    @property
    def stale(self) -> bool:
        """Whether the picture cannot be trusted to be of now."""
        return self.life is not Life.UP or bool(self.silent) or bool(self.version and self.version.journal_error)

    # -- the beginning

    def began(self) -> Actions:
        """The loop runs."""
        yield from self._look()

    def _look(self, after_sec: float = 0.0) -> Actions:
        if not self._looking:
            self._looking = True
            yield Look(after_sec)

    def _looked(self) -> bool:
        """Take note of an answer; return whether it still matters."""
        self._looking = False
        return not self.stopping and self.life in (Life.SOUGHT, Life.AWAY)

    def found(self, version: EngineVersion, now: float) -> Actions:
        """A supervisord that we did not start answers: take it over."""
        if not self._looked():
            return
        self._up(version)
        self.ours = False
        self._started_at = now
        yield Attach(version.pid)
        yield say(
            "info",
            "supervisord taken over",
            pid=version.pid,
            supervisor=version.supervisor,
            engine=version.engine,
            generation=version.generation,
            mode=version.mode,
            mode_reason=version.mode_reason,
        )
        if version.journal_error:
            yield from self._journal(version)
        yield from self._first_rendering()
        yield from self._readiness()
        yield Notify()

    def _first_rendering(self) -> Actions:
        version = self.version
        if version is not None and not version.spoken:
            self._settled = True
            yield say(
                "error",
                "status only: the engine in supervisord speaks another version",
                engine_rpc=version.rpc,
                daemon_rpc=RPC_VERSION,
                engine=version.engine,
            )
        elif not self._settled:
            yield from self._apply()
        elif version is not None:
            yield from self._tell_again(version)

    def absent(self) -> Actions:
        """Nobody answers."""
        if not self._looked():
            return
        self.life, self.silent = Life.AWAY, ""
        if self._settled:
            yield from self._replace()
        elif not self.applying:
            yield from self._apply()

    def foreign(self, message: str) -> Actions:
        """Somebody else answers on supervisord's socket, or somebody who cannot be talked to."""
        if not self._looked():
            return
        if self._ever_up:
            yield say("error", "supervisord refused", reason=message)
            yield from self._look(LOOK_AGAIN_SEC)
        else:
            yield Exit(EX_FAILED, (message,))

    def unanswered(self, message: str) -> Actions:
        """Somebody is there and does not answer now: a supervisord that is busy, or about to end."""
        if not self._looked():
            return
        if not self.silent:
            yield say("warning", "supervisord does not answer yet", why=message)
        self.silent = message
        yield Notify()
        yield from self._look(LOOK_AGAIN_SEC)

    # -- the rendering

    @property
    def reload_refusal(self) -> str:
        """Why a reload would be refused now; empty where it would not."""
        if self.stopping:
            return "stopping"
        another = self.version is not None and not self.version.spoken and self.life is Life.UP
        return "the engine in supervisord speaks another version" if another else ""

    def hangup(self) -> Actions:
        """SIGHUP: apply the difference."""
        if self.stopping:
            yield say("warning", "reload ignored: stopping")
        elif self.reload_refusal:
            yield say("error", f"reload refused: {self.reload_refusal}")
        elif self.applying:
            self._again = True
        else:
            yield Notify(("RELOADING=1",))
            yield from self._apply()

    def _apply(self) -> Actions:
        self.applying = True
        yield Apply()

    def applied(self, result: ApplyResult, wanted: Wanted | None) -> Actions:
        """An apply came to its end; ``wanted`` is what the file now says to the daemon, None where it was not read."""
        self.applying = False
        first, self._settled = not self._settled, True
        if isinstance(result, Applied):
            self.problems = ()
            self.wanted = wanted or self.wanted
            self._table = result.name
            if result.told and self.version is not None:
                self.version = replace(self.version, table=result.name, drift=())
            yield from self._tell(result)
        else:
            refused = isinstance(result, ApplyRefused)
            self.problems = result.problems if isinstance(result, ApplyRefused) else (result.message,)
            if first and self.life is not Life.UP and not self.stopping and not self._goes_on(result):
                yield Exit(EX_CONFIG if refused else EX_FAILED, self.problems)
                return
            kept = "going on with the last good rendering" if first else "nothing was changed"
            yield from self._complain(f"configuration {'broken' if refused else 'not applied'}; {kept}")
        if not self.stopping:
            yield from self._after_apply()

    def _goes_on(self, result: ApplyRefused | ApplyFailed) -> bool:
        """Return whether there is something to go on with. If the file is wrong, another has to start supervisord."""
        external = self.wanted.owner is SupervisordOwner.EXTERNAL
        return result.standing and (external or isinstance(result, ApplyFailed))

    def _after_apply(self) -> Actions:
        if self._again:
            self._again = False
            yield from self._apply()
            return
        if self.ready:
            yield Notify(("READY=1",))
        if self.life is Life.AWAY:
            yield from self._bring_back()
        yield from self._readiness()

    def _tell(self, result: Applied) -> Actions:
        for warning in result.warnings:
            yield say("warning", "configuration", warning=warning)
        for worker_id, ruling in result.rulings.items():
            yield from _left_out(worker_id, ruling)
        plan = {key: names(value) for key, value in result.plan.items() if value}
        changed = result.changed or plan.keys() - {"kept"}
        yield say("info", "applied" if changed else "applied: nothing changed", name=result.name, **plan)
        if not result.told and self.life is Life.UP:
            why = result.unconfirmed or None
            yield say("error", "supervisord was not told of the new rendering; it will be", name=result.name, why=why)

    def _complain(self, words: str) -> Actions:
        yield say("error", words, problems=len(self.problems))
        for problem in self.problems:
            yield say("error", "configuration", problem=problem)

    def _tell_again(self, version: EngineVersion) -> Actions:
        """Apply again where supervisord has another rendering in force than the disk; once for each of its lives."""
        if self.lags and not (self.applying or self.stopping) and self._told_again != (version.generation, self._table):
            self._told_again = (version.generation, self._table)
            yield say("warning", "supervisord has another rendering in force", name=version.table, wanted=self._table)
            yield from self._apply()

    # -- supervisord's life

    def spawned(self, pid: int, now: float) -> Actions:
        """We started one."""
        self.life, self.ours, self._started_at, self.version = Life.STARTING, True, now, None
        yield say("info", "supervisord started", pid=pid)
        yield Notify()

    def not_spawned(self, message: str, now: float) -> Actions:
        """We could not even start one."""
        self._started_at = now
        yield from self._gone(message, now)

    def answered(self, version: EngineVersion) -> Actions:
        """The one we started answers."""
        self._up(version)
        yield say("info", "supervisord answers", pid=version.pid, generation=version.generation, mode=version.mode)
        if version.journal_error:
            yield from self._journal(version)
        if not version.spoken:
            yield from self._first_rendering()
        yield from self._tell_again(version)
        yield from self._readiness()
        yield Notify()

    def ended(self, status: int | None, last_words: str, now: float) -> Actions:
        """It is gone; ``status`` as far as known: negative for a signal."""
        how = "ended" if status is None else f"killed by signal {-status}" if status < 0 else f"exited with {status}"
        if self.stopping:
            self.life = Life.AWAY
            yield say("info", "supervisord stopped", how=how)
            yield Reap()
            yield self._leaving
        else:
            yield from self._gone(f"{how}: {last_words}" if last_words else how, now)

    def _gone(self, why: str, now: float) -> Actions:
        self.life = Life.AWAY
        self.why_gone = why
        self._failures = 0 if now - self._started_at >= STEADY_SEC else self._failures + 1
        if not self._ever_up:
            yield Exit(EX_FAILED, (f"cannot start supervisord: {why}",))
            return
        yield say("error", "supervisord gone", why=why)
        yield Notify()
        if not self.applying:
            yield from self._bring_back()

    def _bring_back(self) -> Actions:
        """Look first: somebody else may have started one meanwhile."""
        if self.wanted.owner is SupervisordOwner.EXTERNAL:
            yield from self._readiness()
        yield from self._look(self._backoff())

    def _replace(self) -> Actions:
        if self.wanted.owner is SupervisordOwner.EXTERNAL:
            yield from self._look(LOOK_AGAIN_SEC)
        else:
            yield Start()

    def _backoff(self) -> float:
        """At once the first time, then after 1, 2, 4 … seconds."""
        return 0.0 if self._failures <= 1 else min(BACKOFF_MOST_SEC, 2.0 ** (self._failures - 2))

    # -- its health

    def healthy(self, version: EngineVersion) -> Actions:
        """It answered when it was asked how it is."""
        if self.life is not Life.UP:
            return
        before, self.version = self.version, version
        if self.silent:
            self.silent = ""
            yield say("info", "supervisord answers again")
            yield Notify()
        if before is not None and before.drift != version.drift:
            yield from self._drift(version)
        if before is not None and bool(before.journal_error) != bool(version.journal_error):
            yield from self._journal(version)
            yield Notify()
        yield from self._tell_again(version)
        yield from self._readiness()

    def unhealthy(self, message: str) -> Actions:
        """It lives but did not answer."""
        if self.life is Life.UP and not self.silent:
            self.silent = message
            yield say("error", "supervisord does not answer", why=message)
            yield Notify()

    def _drift(self, version: EngineVersion) -> Actions:
        for sentence in version.drift:
            yield say("warning", "drift; the next apply resolves it", what=sentence)
        yield Notify()

    def _journal(self, version: EngineVersion) -> Actions:
        if version.journal_error:
            yield say("error", "supervisord cannot write its journal; events wait in memory", why=version.journal_error)
        else:
            yield say("info", "supervisord writes its journal again")

    def _up(self, version: EngineVersion) -> None:
        self.life, self.version, self._ever_up, self.why_gone = Life.UP, version, True, ""
        self.silent = ""

    # -- being ready

    def caught_up(self, generation: str) -> Actions:
        """The picture holds all that the journal of ``generation`` says by now."""
        self._caught_up_with = generation
        yield from self._readiness()

    def _readiness(self) -> Actions:
        waiting = self.life is Life.AWAY and self.wanted.owner is SupervisordOwner.EXTERNAL
        version = self.version
        complete = (
            self.life is Life.UP
            and version is not None
            and (version.generation == self._caught_up_with or bool(version.journal_error))
        )
        if not self.ready and self._settled and not self.applying and not self.stopping and (complete or waiting):
            self.ready = True
            yield say("info", "ready")
            yield Notify(("READY=1",))
            if self.ours:
                yield Revive()

    # -- the end

    def terminate(self, signal: str) -> Actions:
        """SIGTERM or SIGINT."""
        if self.stopping:
            yield say("warning", "still stopping; nothing is lost by waiting", signal=signal)
            return
        yield from self._stop(ends=self.ours and self.wanted.on_shutdown is OnShutdown.STOP, signal=signal)

    def lost(self, instance: str, what: str) -> Actions:
        """An instance of an essential worker is lost; ``what`` says how."""
        if self.stopping:
            return
        yield say(
            "error", "essential worker lost", instance=instance, why=what, crew="ends" if self.ours else "goes on"
        )
        if self.ours:
            self._leaving = Exit(EX_FAILED, (f"cannot go on: {what}",))
            yield from self._stop(ends=True, essential=instance)

    def _stop(self, *, ends: bool, **why: str) -> Actions:
        """Begin to stop; ``ends``: supervisord, too."""
        self.stopping = True
        runs = self.life in (Life.STARTING, Life.UP)
        within = self.wanted.stop_within_sec
        fate = "gone" if not runs else "stopped" if ends else "kept"
        yield say("info", "stopping", **why, supervisord=fate, **(_HOW_TO_END if fate == "kept" else {}))
        yield Notify(("STOPPING=1", *(_extend(within) if ends and runs else ())))
        if ends and runs:
            yield Terminate(within)
            return
        if ends:
            yield Reap()
        yield self._leaving

    def overdue(self) -> Actions:
        """It did not end in time."""
        within = self.wanted.stop_within_sec
        yield say("error", "supervisord does not end; killing it and its workers", after_sec=within)
        yield Kill()


def _left_out(worker_id: str, ruling: Ruling) -> Actions:
    """Say loudly which worker made over the API is not in force."""
    if ruling.fate is Fate.SHADOWED:
        why = f"{ruling.file}:{ruling.line} has a worker of that name"
        yield say("warning", "a worker made over the API is shadowed", worker=worker_id, why=why)
    elif ruling.fate is Fate.REFUSED:
        why = "; ".join(map(str, ruling.complaints))
        yield say("error", "a worker made over the API is left out", worker=worker_id, why=why)


_HOW_TO_END = {"end_it_by": "crewd-supervisorctl shutdown"}


def _extend(within_sec: float) -> tuple[str, ...]:
    return () if within_sec == inf else (f"EXTEND_TIMEOUT_USEC={int(within_sec * 1_000_000)}",)
