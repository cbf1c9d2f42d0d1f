"""Ten thousand kills of workers, with commands in between; then everything adds up.

Kills, commands and changes of the table come from one seeded source, as fast as supervisord takes them.
"""

import contextlib
import os
import random
import signal
import time
from dataclasses import replace
from xmlrpc.client import Fault

import pytest

from crewd.model.facts import Exited, Spawned
from crewd.model.spec import RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Edition, Mode, Program, Supervisord, shell, wait_for
from harness.ledger import live_tokens, read_ledger

KILLS = {Mode.FAST: 5000, Mode.STOCK: 1000}
"""For each edition, of two versions."""
WORKERS = 60
BATCH = 20
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP, signal.SIGABRT)
IDLE_SEC = 2.0

POLICY = RestartPolicy(
    restart=RestartMode.ALWAYS, restart_sec=0.0, restart_steps=0, start_limit_burst=0, start_success_sec=0.02
)


class Chaos:
    """One supervisord, and what was last asked of each instance."""

    def __init__(self, server: Supervisord) -> None:
        self._server = server
        self._dice = random.Random(f"chaos of {server.edition}")
        self.wanted = dict.fromkeys(server.programs, True)
        self.kills = 0
        self._acts = (
            self._start, self._stop, self._restart, self._stock_start, self._stock_stop, self._apply_other_policy,
            self._apply_other_environment, self._scale, self._reopen_logs, self._ask,
        )  # fmt: skip

    def round(self) -> None:
        """Kill a batch, then do one other thing."""
        found = self._server.crewd("status")["instances"]
        pids = [one["pid"] for one in found if one["pid"] and one["process_state"] in ("STARTING", "RUNNING")]
        for pid in self._dice.sample(pids, min(BATCH, len(pids))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, self._dice.choice(SIGNALS))
                self.kills += 1
        self._dice.choice(self._acts)()

    def _some(self) -> list[str]:
        return self._dice.sample(sorted(self._server.programs), 5)

    def _start(self) -> None:
        names = self._some()
        self.wanted.update(dict.fromkeys(names, True))
        self._server.crewd("start", names)

    def _stop(self) -> None:
        names = self._some()
        self.wanted.update(dict.fromkeys(names, False))
        self._server.crewd("stop", names)

    def _restart(self) -> None:
        names = self._some()
        self.wanted.update(dict.fromkeys(names, True))
        self._server.crewd("restart", names)

    def _stock_start(self) -> None:
        for name in self._some()[:2]:
            if self._server.state(name) == "STOPPING":
                continue  # supervisor refuses that
            self.wanted[name] = True
            with contextlib.suppress(Fault):  # it may have been started meanwhile
                self._server.rpc.supervisor.startProcess(name, False)

    def _stock_stop(self) -> None:
        for name in self._some()[:2]:
            if self._server.state(name) in ("STOPPED", "STOPPING"):
                continue
            self.wanted[name] = False
            with contextlib.suppress(Fault):  # it may be in the middle of its end
                self._server.rpc.supervisor.stopProcess(name, False)

    def _apply_other_policy(self) -> None:
        self._change(lambda one: replace(one, policy=replace(one.policy, restart_sec=self._dice.choice((0.0, 0.01)))))

    def _apply_other_environment(self) -> None:
        self._change(lambda one: replace(one, environment={"ROUND": str(self.kills)}))

    def _change(self, change: object) -> None:
        programs = dict(self._server.programs)
        for name in self._some():
            programs[name] = change(programs[name])  # type: ignore[operator]
        self._server.apply(programs.values())

    def _scale(self) -> None:
        """Remove the extra instances, or add them."""
        programs = dict(self._server.programs)
        extra = {f"extra-{slot}": Program(f"extra-{slot}", shell("exec sleep 1000"), POLICY) for slot in range(3)}
        if extra.keys() & programs.keys():
            programs = {name: program for name, program in programs.items() if name not in extra}
            for name in extra:
                self.wanted.pop(name, None)
        elif extra.keys() & {one["instance"] for one in self._server.crewd("status")["instances"]}:
            return  # they are still stopping, on their way out
        else:
            programs |= extra
            self.wanted.update(dict.fromkeys(extra, True))
        self._server.apply(programs.values())

    def _reopen_logs(self) -> None:
        self._server.signal(signal.SIGUSR2)

    def _ask(self) -> None:
        self._server.rpc.supervisor.getAllProcessInfo()

    def settled(self) -> bool:
        """Whether every instance is what it was last asked to be."""
        found = {one["instance"]: one["process_state"] for one in self._server.crewd("status")["instances"]}
        return found == {name: "RUNNING" if up else "STOPPED" for name, up in self.wanted.items()}

    def differences(self) -> dict[str, object]:
        """What is not settled."""
        return {
            one["instance"]: (one["process_state"], self.wanted.get(one["instance"]))
            for one in self._server.crewd("status")["instances"]
            if one["process_state"] != ("RUNNING" if self.wanted.get(one["instance"]) else "STOPPED")
        }


def descriptors(server: Supervisord) -> int:
    """Return how many descriptors supervisord has open."""
    return len(os.listdir(f"/proc/{server.pid}/fd"))


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_after_chaos_everything_adds_up(edition: Edition, soak: int) -> None:
    """No event is lost or doubled, no descriptor is left, no core spins, and everybody is as last asked."""
    crew = [
        Program(f"w-{slot}", shell("exec sleep 1000"), POLICY, stdout="AUTO" if slot % 3 == 0 else "NONE")
        for slot in range(WORKERS)
    ]
    with Supervisord(edition, crew) as server:
        chaos = Chaos(server)
        wait_for(chaos.settled, 120, chaos.differences)
        open_before = descriptors(server)
        while chaos.kills < KILLS[edition.mode] * soak:
            chaos.round()
        wait_for(chaos.settled, 120, chaos.differences)
        server.apply(crew)
        server.crewd("start", [program.name for program in crew])
        chaos.wanted = dict.fromkeys((program.name for program in crew), True)
        wait_for(chaos.settled, 120, chaos.differences)
        began, used = time.monotonic(), server.cpu_sec()
        time.sleep(IDLE_SEC)
        load = (server.cpu_sec() - used) / (time.monotonic() - began)
        open_after = descriptors(server)
        entries = server.journal()
        ledger = read_ledger(entries)
        status = server.crewd("status")["instances"]

        server.check_health()
        assert load < 0.05
        assert ledger.problems == []
        assert {run.instance for run in ledger.open.values()} == server.programs.keys()
        assert len(ledger.open) == len(server.programs)
        spawned = sum(isinstance(entry.event.fact, Spawned) for entry in entries)
        exited = sum(isinstance(entry.event.fact, Exited) for entry in entries)
        assert spawned == exited + len(server.programs)
        assert exited >= chaos.kills * 0.5
        alive = live_tokens(entries[0].generation)
        assert sorted(alive) == sorted(one["pid"] for one in status)
        assert sorted(alive.values()) == sorted(ledger.open)
        assert open_after <= open_before
