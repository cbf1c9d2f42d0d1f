"""What the daemon decides about supervisord, the rendering and the service manager."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from crewd.model.offer import Complaint, Fate, Ruling
from crewd.model.spec import OnShutdown, SupervisordOwner
from crewd.reconcile.actions import Action, Apply, Attach, Exit, Kill, Look, Notify, Reap, Revive, Start, Terminate
from crewd.reconcile.narrative import Say
from crewd.reconcile.port import Applied, ApplyFailed, ApplyRefused, EngineVersion
from crewd.reconcile.status_words import status_words
from crewd.reconcile.supervision import BACKOFF_MOST_SEC, LOOK_AGAIN_SEC, Life, Supervision
from crewd.reconcile.wanted import Wanted

VERSION = EngineVersion(1, "0.1.0", "4.3.0", 42, "00000001-abcdef", "t", "fast")
APPLIED = Applied("t", changed=True, plan={"added": ("web-0",)}, told=True)
PROBLEMS = ("crew.yaml:1:1: workers: is wrong", "crew.yaml:2:1: crewd: is wrong")
EXTERNAL = Wanted(owner=SupervisordOwner.EXTERNAL)


def done(actions: Iterable[Action]) -> list[Action]:
    """Return what is to be done, log lines and status lines left out."""
    return [action for action in actions if not isinstance(action, Say) and action != Notify()]


def said(actions: Iterable[Action], level: str = "error") -> list[str]:
    """Return what is logged at this level."""
    return [action.event for action in actions if isinstance(action, Say) and action.level == level]


def began() -> Supervision:
    """Return one that has asked for the first time."""
    found = Supervision()
    assert done(found.began()) == [Look()]
    return found


def up(wanted: Wanted | None = None, now: float = 0.0) -> Supervision:
    """Return one whose own supervisord is up, everything ready."""
    found = began()
    list(found.absent())
    list(found.applied(APPLIED, wanted))
    list(found.absent())
    list(found.spawned(VERSION.pid, now))
    list(found.answered(VERSION))
    list(found.caught_up(VERSION.generation))
    assert found.ready
    return found


def taken_over(wanted: Wanted | None = None, version: EngineVersion = VERSION) -> Supervision:
    """Return one that has taken over a supervisord and applied."""
    found = began()
    list(found.found(version, 0.0))
    list(found.applied(APPLIED, wanted))
    list(found.caught_up(version.generation))
    assert found.ready
    return found


def test_where_none_runs_it_is_rendered_before_it_is_started() -> None:
    """supervisord starts on the configuration as it is now, not on yesterday's."""
    one = began()

    assert done(one.absent()) == [Apply()]
    assert done(one.applied(APPLIED, None)) == [Look(0.0)]
    assert done(one.absent()) == [Start()]


def test_ready_is_said_once_everything_is_known() -> None:
    """READY: applied, supervisord answers, and the picture holds what its journal says."""
    one = began()
    list(one.absent())
    list(one.applied(APPLIED, None))
    list(one.absent())
    list(one.spawned(42, 0.0))

    assert done(one.answered(VERSION)) == []
    assert done(one.caught_up("00000000-000000")) == []
    assert done(one.caught_up(VERSION.generation)) == [Notify(("READY=1",)), Revive()]
    assert done(one.caught_up(VERSION.generation)) == []


def test_the_picture_may_be_there_before_the_answer() -> None:
    """The journal is read while supervisord is asked, and either may be first."""
    one = began()
    list(one.caught_up(VERSION.generation))
    list(one.found(VERSION, 0.0))

    assert done(one.applied(APPLIED, None)) == [Notify(("READY=1",))]


def test_one_that_runs_is_taken_over_and_told() -> None:
    """It is watched, then the configuration is applied to it."""
    one = began()

    assert done(one.found(VERSION, 0.0)) == [Attach(42), Apply()]
    assert not one.ours


@pytest.mark.parametrize("on_shutdown", OnShutdown)
def test_one_that_was_taken_over_is_kept(on_shutdown: OnShutdown) -> None:
    """Whoever started it may end it."""
    one = taken_over(Wanted(on_shutdown))

    assert done(one.terminate("SIGTERM")) == [Notify(("STOPPING=1",)), Exit(0)]


def test_one_that_we_started_is_stopped() -> None:
    """Within the time that its workers may take."""
    one = up(Wanted(stop_within_sec=25.0))

    extended = Notify(("STOPPING=1", "EXTEND_TIMEOUT_USEC=25000000"))
    assert done(one.terminate("SIGTERM")) == [extended, Terminate(25.0)]
    assert done(one.ended(0, "", 1.0)) == [Reap(), Exit(0)]


def test_one_that_we_started_is_kept_on_request() -> None:
    """on_shutdown: keep."""
    one = up(Wanted(OnShutdown.KEEP))

    assert done(one.terminate("SIGTERM")) == [Notify(("STOPPING=1",)), Exit(0)]


def test_the_second_ctrl_c_loses_nobody() -> None:
    """The stop goes on as it was."""
    one = up()
    list(one.terminate("SIGINT"))

    second = list(one.terminate("SIGINT"))
    assert done(second) == []
    assert said(second, "warning")


def test_one_that_does_not_end_is_killed() -> None:
    """After the time is over, and then the daemon ends."""
    one = up()
    list(one.terminate("SIGTERM"))

    assert done(one.overdue()) == [Kill()]
    assert done(one.ended(-9, "", 9.0)) == [Reap(), Exit(0)]


def test_one_that_dies_is_replaced_at_once() -> None:
    """Unless somebody else has done it meanwhile: it is looked for first."""
    one = up(now=0.0)

    died = list(one.ended(-9, "", 60.0))
    assert done(died) == [Look(0.0)]
    assert said(died) == ["supervisord gone"]
    assert one.stale
    assert done(one.absent()) == [Start()]


def test_one_that_keeps_dying_is_replaced_ever_more_slowly() -> None:
    """At once, then after 1, 2, 4 … seconds, and never slower than the most."""
    one = up(now=0.0)
    delays: list[float] = []
    for second in range(9):
        [look] = done(one.ended(1, "", float(second)))
        assert isinstance(look, Look)
        delays.append(look.after_sec)
        list(one.absent())
        list(one.spawned(43, float(second)))

    assert delays == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, BACKOFF_MOST_SEC, BACKOFF_MOST_SEC, BACKOFF_MOST_SEC]


def test_a_steady_one_is_forgiven() -> None:
    """Who ran for a while is started at once again, whatever was before."""
    one = up(now=0.0)
    for second in range(5):
        list(one.ended(1, "", float(second)))
        list(one.absent())
        list(one.spawned(43, float(second)))

    assert done(one.ended(1, "", 100.0)) == [Look(0.0)]


def test_one_that_cannot_be_started_at_all_ends_the_daemon() -> None:
    """With what it said, for nothing else will tell the operator."""
    one = began()
    list(one.absent())
    list(one.applied(APPLIED, None))
    list(one.absent())
    list(one.spawned(42, 0.0))

    [leaving] = done(one.ended(2, "Error: no such file", 0.1))
    assert isinstance(leaving, Exit)
    assert leaving.code == 1
    assert "exited with 2: Error: no such file" in leaving.complaint[0]


def test_an_external_one_is_waited_for() -> None:
    """Never started by us; ready all the same, for nothing is left to do."""
    one = began()
    list(one.absent())

    applied = done(one.applied(APPLIED, EXTERNAL))
    assert applied[:2] == [Notify(("READY=1",)), Look(0.0)]
    assert done(one.absent()) == [Look(LOOK_AGAIN_SEC)]
    assert done(one.found(VERSION, 0.0)) == [Attach(42)]


def test_an_external_one_that_dies_is_waited_for() -> None:
    """systemd starts it, not we."""
    one = taken_over(EXTERNAL)

    list(one.ended(None, "", 60.0))
    assert done(one.absent()) == [Look(LOOK_AGAIN_SEC)]
    assert "waiting for supervisord" in status_words(one, "")


def test_a_broken_file_at_the_start_ends_it_with_the_list() -> None:
    """Exit 78, all mistakes at once."""
    one = began()
    list(one.absent())

    assert done(one.applied(ApplyRefused(PROBLEMS), None)) == [Exit(78, PROBLEMS)]


def test_a_broken_file_where_supervisord_runs_leaves_it_running() -> None:
    """Degraded, with the last good rendering, and it is said."""
    one = began()
    list(one.found(VERSION, 0.0))

    refused = list(one.applied(ApplyRefused(PROBLEMS), None))
    assert done(refused) == []
    assert len(said(refused)) == 1 + len(PROBLEMS)
    assert done(one.caught_up(VERSION.generation)) == [Notify(("READY=1",))]
    assert "2 problems" in status_words(one, "")


def test_a_degraded_one_is_ready_too() -> None:
    """Also where the picture was there before the answer."""
    one = began()
    list(one.caught_up(VERSION.generation))
    list(one.found(VERSION, 0.0))

    assert done(one.applied(ApplyRefused(PROBLEMS), None)) == [Notify(("READY=1",))]


def test_a_degraded_one_is_healed_by_a_reload() -> None:
    """Once the file is right, it is applied, and nothing is left of the complaint."""
    one = began()
    list(one.found(VERSION, 0.0))
    list(one.applied(ApplyRefused(PROBLEMS), None))

    assert done(one.hangup()) == [Notify(("RELOADING=1",)), Apply()]
    list(one.applied(APPLIED, EXTERNAL))
    assert status_words(one, "fine") == "fine"
    assert one.wanted == EXTERNAL


def test_a_failed_apply_at_the_start_ends_it() -> None:
    """Exit 1: the world, not the file."""
    one = began()
    list(one.absent())

    assert done(one.applied(ApplyFailed("disk full"), None)) == [Exit(1, ("disk full",))]


def test_a_source_that_is_away_at_the_start_keeps_nobody_waiting() -> None:
    """The last good rendering is what is started; that it may not be all is said and shown."""
    one = began()
    list(one.absent())
    degraded = list(one.applied(ApplyFailed("cannot read the database", standing=True), None))

    assert done(degraded) == [Look()]
    assert said(degraded)[0] == "configuration not applied; going on with the last good rendering"
    assert done(one.absent()) == [Start()]
    list(one.spawned(VERSION.pid, 0.0))
    list(one.answered(VERSION))
    assert Notify(("READY=1",)) in list(one.caught_up(VERSION.generation))
    assert "not in force, 1 problem" in status_words(one, "")


def test_beside_an_external_one_that_is_yet_to_come_a_broken_file_ends_nothing() -> None:
    """At a boot both start at once, and that one starts from the last good rendering; without any, it ends."""
    one = Supervision(EXTERNAL)
    list(one.began())
    list(one.absent())

    assert done(one.applied(ApplyRefused(PROBLEMS, standing=True), None)) == [Notify(("READY=1",)), Look()]
    list(one.found(VERSION, 0.0))
    list(one.caught_up(VERSION.generation))
    assert one.ready
    assert "not in force, 2 problems" in status_words(one, "")

    none = Supervision(EXTERNAL)
    list(none.began())
    list(none.absent())
    assert done(none.applied(ApplyRefused(PROBLEMS), None)) == [Exit(78, PROBLEMS)]


def test_a_worker_that_is_left_out_is_said_loudly() -> None:
    """And one that is shadowed; the apply is a success all the same."""
    rulings = {
        "a": Ruling(Fate.REFUSED, (Complaint("user", "is not admitted"),)),
        "b": Ruling(Fate.SHADOWED, file="crewd.yaml", line=3),
        "c": Ruling(Fate.IN_FORCE),
        "d": Ruling(Fate.WITHOUT_COMMAND),
    }
    one = up()
    list(one.hangup())
    applied = list(one.applied(replace(APPLIED, rulings=rulings), None))

    assert said(applied) == ["a worker made over the API is left out"]
    assert said(applied, "warning") == ["a worker made over the API is shadowed"]
    assert not one.problems


def test_a_broken_file_at_reload_changes_nothing() -> None:
    """It is said loudly, and in the status until it is right."""
    one = up()
    list(one.hangup())

    refused = list(one.applied(ApplyRefused(PROBLEMS), None))
    assert done(refused) == [Notify(("READY=1",))]
    assert len(said(refused)) == 1 + len(PROBLEMS)
    assert "2 problems" in status_words(one, "")


def test_reloads_do_not_overtake_each_other() -> None:
    """One that comes while another is under way is done after it, once."""
    one = up()
    list(one.hangup())

    assert done(one.hangup()) == []
    assert done(one.hangup()) == []
    assert done(one.applied(APPLIED, None)) == [Apply()]
    assert done(one.applied(APPLIED, None)) == [Notify(("READY=1",))]


def test_another_rpc_version_is_watched_and_left_alone() -> None:
    """Status only: no apply, neither at the start nor at a reload."""
    one = began()

    found = list(one.found(replace(VERSION, rpc=2), 0.0))
    assert done(found) == [Attach(42)]
    assert said(found)
    reload = list(one.hangup())
    assert done(reload) == []
    assert said(reload)
    assert "status only" in status_words(one, "")


def test_a_foreign_supervisord_is_refused() -> None:
    """One without the engine cannot be used, and its socket is not ours to take."""
    one = began()

    assert done(one.foreign("not ours")) == [Exit(1, ("not ours",))]


def test_one_that_does_not_answer_makes_the_picture_stale() -> None:
    """It lives, so it is not replaced; but what is shown may be old."""
    one = up()

    assert said(one.unhealthy("no answer"))
    assert one.stale
    assert not said(one.unhealthy("no answer"))
    list(one.healthy(VERSION))
    assert not one.stale


def test_the_end_of_supervisord_during_an_apply_waits_for_it() -> None:
    """The new rendering is what the next one starts on."""
    one = up()
    list(one.hangup())

    assert done(one.ended(-9, "", 60.0)) == []
    assert Look(0.0) in done(one.applied(APPLIED, None))


def test_a_stop_before_anything_runs_is_at_once() -> None:
    """Also in the middle of the first apply."""
    one = began()
    list(one.absent())

    assert done(one.terminate("SIGINT")) == [Notify(("STOPPING=1",)), Exit(0)]


def test_the_status_says_how_it_is() -> None:
    """In words, from the beginning to the end."""
    one = Supervision()

    assert status_words(one, "0") == "starting supervisord; last known: 0"
    one = up()
    assert status_words(one, "all well") == "all well"
    list(one.ended(-9, "", 60.0))
    assert status_words(one, "7") == "supervisord gone (killed by signal 9), starting it again; last known: 7"
    assert one.life is Life.AWAY


def test_a_reload_in_the_backoff_asks_no_second_time() -> None:
    """Two answers would start two supervisords."""
    one = up(now=0.0)
    for second in range(3):
        list(one.ended(-9, "", float(second)))
        list(one.absent()) if second < 2 else None
        list(one.spawned(43, float(second))) if second < 2 else None
    list(one.hangup())

    assert done(one.applied(APPLIED, None)) == [Notify(("READY=1",))]
    assert done(one.absent()) == [Start()]
    list(one.spawned(43, 5.0))
    assert done(one.absent()) == []


def test_an_answer_that_comes_late_is_not_listened_to() -> None:
    """While one of ours starts, whoever answers is that one."""
    one = up(now=0.0)
    list(one.ended(-9, "", 60.0))
    list(one.absent())
    list(one.spawned(43, 60.0))

    assert done(one.found(VERSION, 60.0)) == []
    assert one.ours
    assert done(one.absent()) == []


def test_a_stop_while_it_is_gone_ends_what_it_left() -> None:
    """on_shutdown: stop is a promise about the workers."""
    one = up(now=0.0)
    list(one.ended(-9, "", 60.0))

    assert done(one.terminate("SIGINT")) == [Notify(("STOPPING=1",)), Reap(), Exit(0)]


def test_a_stop_while_one_that_was_taken_over_is_gone_ends_nothing() -> None:
    """It was never ours, nor are its workers."""
    one = taken_over()
    list(one.ended(None, "", 60.0))

    assert done(one.terminate("SIGTERM")) == [Notify(("STOPPING=1",)), Exit(0)]


def test_one_that_started_on_another_rendering_is_told_again() -> None:
    """The file was applied while it was on its way: whoever answers with an older table gets the newer."""
    one = up(now=0.0)
    list(one.ended(-9, "", 60.0))
    list(one.absent())
    list(one.spawned(43, 60.0))
    list(one.hangup())
    newer = replace(APPLIED, name="newer", told=False)
    list(one.applied(newer, None))
    before = replace(VERSION, generation="00000002-abcdef")

    assert done(one.answered(before)) == [Apply()]
    assert "not taken over" in status_words(one, "")
    assert done(one.healthy(before)) == []
    list(one.applied(replace(newer, told=True), None))
    assert status_words(one, "fine") == "fine"


def test_one_that_is_found_again_with_another_rendering_is_told() -> None:
    """An external one that was started beside a daemon which applied meanwhile."""
    one = taken_over(EXTERNAL)
    list(one.ended(None, "", 60.0))
    list(one.hangup())
    list(one.applied(replace(APPLIED, name="newer", told=False), EXTERNAL))

    assert done(one.found(VERSION, 61.0)) == [Attach(42), Apply()]


def test_an_apply_that_was_not_confirmed_is_said_and_repeated() -> None:
    """It is in force on the disk, so nothing is taken back."""
    one = up()
    list(one.hangup())
    unsure = replace(APPLIED, name="newer", told=False, unconfirmed="no answer within 30 s")

    applied = list(one.applied(unsure, None))
    assert said(applied) == ["supervisord was not told of the new rendering; it will be"]
    assert one.problems == ()
    assert done(one.healthy(VERSION)) == [Apply()]


def test_one_that_is_slow_is_waited_for() -> None:
    """It is there, so it will be taken over; nothing else is started, and the daemon does not end."""
    one = began()

    assert done(one.unanswered("no answer within 5 s")) == [Look(LOOK_AGAIN_SEC)]
    assert status_words(one, "0") == "supervisord does not answer; last known: 0"
    assert done(one.unanswered("no answer within 5 s")) == [Look(LOOK_AGAIN_SEC)]
    assert done(one.found(VERSION, 0.0)) == [Attach(42), Apply()]
    assert not one.silent


def test_a_degraded_one_keeps_what_the_file_said_last() -> None:
    """Whose supervisord it is, what a stop means, and how long it may take: as the daemon before it knew."""
    last = Wanted(OnShutdown.KEEP, SupervisordOwner.EXTERNAL, 65.0)
    one = Supervision(last)
    list(one.began())
    list(one.found(VERSION, 0.0))
    list(one.applied(ApplyRefused(PROBLEMS), None))

    assert one.wanted == last


def test_a_journal_that_cannot_be_written_keeps_nobody_waiting() -> None:
    """Ready, loud, and what is shown may be old."""
    full = replace(VERSION, journal_error="No space left on device")
    one = began()
    list(one.absent())
    list(one.applied(APPLIED, None))
    list(one.absent())
    list(one.spawned(42, 0.0))

    answered = list(one.answered(full))
    assert Notify(("READY=1",)) in done(answered)
    assert said(answered) == ["supervisord cannot write its journal; events wait in memory"]
    assert one.stale
    assert "No space left" in status_words(one, "")
    list(one.healthy(VERSION))
    assert not one.stale


def test_drift_is_said_once_and_shown_until_it_is_resolved() -> None:
    """Somebody changed supervisord behind crewd's back."""
    one = up()
    drifted = replace(VERSION, drift=("added behind crewd's back: evil",))

    assert said(one.healthy(drifted), "warning") == ["drift; the next apply resolves it"]
    assert said(one.healthy(drifted), "warning") == []
    assert status_words(one, "fine") == "added behind crewd's back: evil; fine"
    list(one.hangup())
    list(one.applied(APPLIED, None))
    assert status_words(one, "fine") == "fine"


@pytest.mark.parametrize("on_shutdown", OnShutdown)
def test_the_loss_of_an_essential_worker_ends_the_crew(on_shutdown: OnShutdown) -> None:
    """supervisord is stopped in order, whatever on_shutdown says; the exit says who and why."""
    one = up(Wanted(on_shutdown, stop_within_sec=25.0))

    first = list(one.lost("web-0", "web-0 was given up"))
    assert done(first) == [Notify(("STOPPING=1", "EXTEND_TIMEOUT_USEC=25000000")), Terminate(25.0)]
    assert said(first) == ["essential worker lost"]
    assert list(one.lost("web-1", "web-1 was given up")) == []
    assert said(one.terminate("SIGTERM"), "warning")
    assert done(one.ended(0, "", 1.0)) == [Reap(), Exit(1, ("cannot go on: web-0 was given up",))]


def test_a_supervisord_of_somebody_else_outlives_an_essential_worker() -> None:
    """It is said, and that is all."""
    one = taken_over()
    actions = list(one.lost("web-0", "web-0 was given up"))

    assert done(actions) == []
    assert said(actions) == ["essential worker lost"]
    assert not one.stopping


def test_a_supervisord_of_ours_tries_lost_ones_once_more() -> None:
    """Once, when the daemon is ready; not where it took one over."""
    one = began()
    list(one.absent())
    list(one.applied(APPLIED, None))
    list(one.absent())
    list(one.spawned(42, 0.0))
    list(one.answered(VERSION))

    assert done(one.caught_up(VERSION.generation)) == [Notify(("READY=1",)), Revive()]
    list(one.ended(-9, "", 100.0))
    list(one.absent())
    list(one.spawned(43, 100.0))
    assert Revive() not in done(one.answered(replace(VERSION, pid=43)))
    assert Revive() not in done(taken_over().healthy(VERSION))
