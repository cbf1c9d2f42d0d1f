"""Which ends are followed by a restart: ``restart:``, forced and prevented statuses, clean exits."""

from dataclasses import replace

import pytest

from crewd.model.reasons import Reason, Verdict
from crewd.model.spec import CLEAN_EXITS, ExitStatusSet, RestartMode, RestartPolicy
from crewd.policy.restart import RESTARTS_ON, Decision, Ending, History, Leave, Restart, decide, reason_of

CLEAN = {
    "code 0": Ending(code=0, ran_sec=5),
    "SIGHUP": Ending(signal=1, ran_sec=5),
    "SIGINT": Ending(signal=2, ran_sec=5),
    "SIGPIPE": Ending(signal=13, ran_sec=5),
    "SIGTERM": Ending(signal=15, ran_sec=5),
}
UNCLEAN_CODE = {
    "code 1": Ending(code=1, ran_sec=5),
    "code 255": Ending(code=255, ran_sec=5),
    "a spawn that failed": Ending(spawn_failed=True),
}
UNCLEAN_SIGNAL = {
    "SIGKILL": Ending(signal=9, ran_sec=5),
    "SIGSEGV with core": Ending(signal=11, core=True, ran_sec=5),
    "SIGTERM with core": Ending(signal=15, core=True, ran_sec=5),
}
ENDS = CLEAN | UNCLEAN_CODE | UNCLEAN_SIGNAL

# systemd.service(5), "Exit causes and the effect of the Restart= settings"
RESTARTED = {
    RestartMode.NO: {},
    RestartMode.ALWAYS: ENDS,
    RestartMode.ON_SUCCESS: CLEAN,
    RestartMode.ON_FAILURE: UNCLEAN_CODE | UNCLEAN_SIGNAL,
    RestartMode.ON_ABNORMAL: UNCLEAN_SIGNAL,
    RestartMode.ON_ABORT: UNCLEAN_SIGNAL,
    RestartMode.ON_WATCHDOG: {},
}
# The rows of that table that a wait status does not show: what a prober or the kernel's counters must say.
BY_REASON = {
    Reason.WATCHDOG: {"always", "on-failure", "on-abnormal", "on-watchdog"},
    Reason.LIVENESS: {"always", "on-failure", "on-abnormal", "on-watchdog"},
    Reason.OUT_OF_MEMORY: {"always", "on-failure", "on-abnormal"},
    Reason.MAX_AGE: {"always", "on-failure", "on-abnormal"},
    Reason.SUPERVISOR_LOST: {"always", "on-failure", "on-abnormal"},
}
FIRST_START = History(starts=(100.0,))


def verdict(policy: RestartPolicy, ending: Ending) -> Decision:
    return decide(policy, FIRST_START, ending, 105.0, 0.0)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("mode", RestartMode)
def test_each_mode_restarts_after_the_ends_of_systemds_table(mode: RestartMode, end: str) -> None:
    """Every mode crossed with every way of ending gives the verdict that systemd.service(5) tabulates."""
    decision = verdict(RestartPolicy(restart=mode), ENDS[end])

    assert isinstance(decision, Restart) == (end in RESTARTED[mode])
    assert decision.verdict is (Verdict.RESTARTED if end in RESTARTED[mode] else Verdict.NOT_WANTED)


@pytest.mark.parametrize("reason", BY_REASON)
@pytest.mark.parametrize("mode", RestartMode)
def test_each_mode_restarts_after_the_reasons_of_systemds_table(mode: RestartMode, reason: Reason) -> None:
    """Timeout, watchdog and memory rows hold too; a lost supervisor counts as a timeout does."""
    assert (reason in RESTARTS_ON[mode]) == (mode.value in BY_REASON[reason])


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending(code=0), Reason.CLEAN_EXIT),
        (Ending(signal=15), Reason.CLEAN_EXIT),
        (Ending(code=3), Reason.EXIT_CODE),
        (Ending(signal=9), Reason.SIGNAL),
        (Ending(signal=11, core=True), Reason.CORE_DUMP),
        (Ending(signal=15, core=True), Reason.CORE_DUMP),
        (Ending(spawn_failed=True), Reason.SPAWN_FAILED),
    ],
)
def test_the_reason_says_how_the_run_ended(ending: Ending, reason: Reason) -> None:
    """One reason for each way; a dumped core is never clean, whatever the signal."""
    assert reason_of(RestartPolicy(), ending) is reason


def test_success_statuses_make_an_exit_clean() -> None:
    """A code and a signal from success_exit_status count as clean, and only those."""
    policy = RestartPolicy(
        success_exit_status=ExitStatusSet(CLEAN_EXITS.codes | {7}, CLEAN_EXITS.signals | {10}),
    )

    assert reason_of(policy, Ending(code=7)) is Reason.CLEAN_EXIT
    assert reason_of(policy, Ending(signal=10)) is Reason.CLEAN_EXIT
    assert reason_of(policy, Ending(code=10)) is Reason.EXIT_CODE
    assert reason_of(policy, Ending(signal=7)) is Reason.SIGNAL


@pytest.mark.parametrize("mode", RestartMode)
def test_prevented_goes_before_forced_and_forced_before_the_mode(mode: RestartMode) -> None:
    """The same status in both sets is prevented; in the force set alone it restarts under every mode."""
    seven = ExitStatusSet(codes=frozenset({7}))
    forced = RestartPolicy(restart=mode, restart_force_exit_status=seven)
    both = replace(forced, restart_prevent_exit_status=seven)
    end = Ending(code=7, ran_sec=5)

    assert isinstance(verdict(forced, end), Restart)
    assert verdict(both, end) == Leave(Reason.EXIT_CODE, Verdict.PREVENTED)


@pytest.mark.parametrize("core", [False, True])
def test_prevented_and_forced_signals_count_with_and_without_a_core(core: bool) -> None:
    """A signal of the set is held also where it dumped a core, as in systemd."""
    eleven = ExitStatusSet(signals=frozenset({11}))
    end = Ending(signal=11, core=core, ran_sec=5)

    assert verdict(RestartPolicy(restart_prevent_exit_status=eleven), end).verdict is Verdict.PREVENTED
    assert isinstance(verdict(RestartPolicy(restart=RestartMode.NO, restart_force_exit_status=eleven), end), Restart)


def test_a_failed_spawn_is_in_no_status_set() -> None:
    """It has neither code nor signal, so only the mode decides."""
    every = ExitStatusSet(frozenset(range(256)), frozenset(range(1, 65)))
    policy = RestartPolicy(restart_prevent_exit_status=every)

    assert isinstance(verdict(policy, Ending(spawn_failed=True)), Restart)
