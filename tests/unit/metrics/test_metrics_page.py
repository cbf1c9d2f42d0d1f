"""The page, from a view that the tests build: names, labels, values, and what is left out."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from math import inf

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crewd import __version__
from crewd.metrics import Calls, Metrics
from crewd.metrics.families import FAMILIES, Kind
from crewd.model.accounts import Key, Total
from crewd.model.reasons import Reason
from crewd.model.record import PastExit, Record, Standing
from crewd.model.report import Heartbeat, Pulse
from crewd.model.spec import CrewSpec, RestartPolicy, WorkerSpec
from crewd.model.states import ProcessState
from crewd.reconcile.port import EngineVersion, Usage
from harness.views import Shown, shown

WALL, BOOT = 1_800_000_000.0, 1000.0
LIMIT = RestartPolicy(start_limit_burst=5, start_limit_interval_sec=60.0)
NO_LIMIT = RestartPolicy(start_limit_burst=0)

CRASH = PastExit(WALL - 50, Reason.SIGNAL, None, 9, 3.0)
FAULT = PastExit(WALL - 40, Reason.EXIT_CODE, 3, None, 3.0)
UNBORN = PastExit(WALL - 30, Reason.SPAWN_FAILED, None, None, 0.0, "No such file or directory")
RUNNING = Record(
    Standing.UP,
    ProcessState.RUNNING,
    token="t",
    pid=77,
    start_ticks=5,
    started_at=BOOT - 10,
    started_wall=WALL - 10,
    starts=(BOOT - 90, BOOT - 30, BOOT - 10),
    exits=(FAULT, CRASH),
)
WAITING = Record(Standing.UP, ProcessState.BACKOFF, started_wall=WALL - 9, due_at=BOOT + 1.5, exits=(CRASH, FAULT))
USAGE = Usage(cpu_sec=12.25, cpu_share=0.5, rss_bytes=4096, pss_bytes=2048, open_fds=7, processes=2)
TOTALS = {
    Key(Total.RESTARTS, "web", "ExitCode"): 6.0,
    Key(Total.ATTEMPTS, "web", "success"): 4.0,
    Key(Total.ATTEMPTS, "web", "failure"): 1.0,
    Key(Total.EXITS, "web", "Signal"): 6.0,
    Key(Total.DURATION, "web", "0.1"): 3.0,
    Key(Total.DURATION, "web", "+Inf"): 1.0,
    Key(Total.DURATION_SUM, "web"): 400.25,
    Key(Total.LAG, "", "0.001"): 2.0,
    Key(Total.LAG, "", "0.005"): 1.0,
    Key(Total.LAG_SUM): 0.0035,
    Key(Total.EVENTS, "", "exited"): 6.0,
    Key(Total.LOST): 2.0,
}

RESTARTED = 'crewd_worker_restarts_total{worker="web",reason="ExitCode"}'
BOTH = {Key(Total.RESTARTS, "web", "ExitCode"): 1.0, Key(Total.ATTEMPTS, "web", "success"): 1.0}
SUCCEEDED = 'crewd_worker_restart_attempts_total{worker="web",result="success"}'

WORKER_LINES = """\
crewd_worker_restarts_total{worker="web",reason="CleanExit"} 0
crewd_worker_restarts_total{worker="web",reason="ExitCode"} 6
crewd_worker_restarts_total{worker="web",reason="Signal"} 0
crewd_worker_restarts_total{worker="web",reason="CoreDump"} 0
crewd_worker_restarts_total{worker="web",reason="SpawnFailed"} 0
crewd_worker_restart_attempts_total{worker="web",result="success"} 4
crewd_worker_restart_attempts_total{worker="web",result="failure"} 1
crewd_worker_exits_total{worker="web",reason="CleanExit"} 0
crewd_worker_exits_total{worker="web",reason="ExitCode"} 0
crewd_worker_exits_total{worker="web",reason="Signal"} 6
crewd_worker_exits_total{worker="web",reason="CoreDump"} 0
crewd_worker_exits_total{worker="web",reason="SpawnFailed"} 0
crewd_worker_exits_total{worker="web",reason="SupervisorLost"} 0
crewd_worker_restart_duration_seconds_bucket{worker="web",le="0.005"} 0
crewd_worker_restart_duration_seconds_bucket{worker="web",le="0.01"} 0
crewd_worker_restart_duration_seconds_bucket{worker="web",le="0.025"} 0
crewd_worker_restart_duration_seconds_bucket{worker="web",le="0.05"} 0
crewd_worker_restart_duration_seconds_bucket{worker="web",le="0.1"} 3
crewd_worker_restart_duration_seconds_bucket{worker="web",le="0.25"} 3
crewd_worker_restart_duration_seconds_bucket{worker="web",le="0.5"} 3
crewd_worker_restart_duration_seconds_bucket{worker="web",le="1"} 3
crewd_worker_restart_duration_seconds_bucket{worker="web",le="2.5"} 3
crewd_worker_restart_duration_seconds_bucket{worker="web",le="5"} 3
crewd_worker_restart_duration_seconds_bucket{worker="web",le="10"} 3
crewd_worker_restart_duration_seconds_bucket{worker="web",le="30"} 3
crewd_worker_restart_duration_seconds_bucket{worker="web",le="60"} 3
crewd_worker_restart_duration_seconds_bucket{worker="web",le="300"} 3
crewd_worker_restart_duration_seconds_bucket{worker="web",le="+Inf"} 4
crewd_worker_restart_duration_seconds_sum{worker="web"} 400.25
crewd_worker_restart_duration_seconds_count{worker="web"} 4
""".splitlines()

INSTANCE_LINES = """\
crewd_worker_state{worker="web",instance="web-0",state="STOPPED"} 0
crewd_worker_state{worker="web",instance="web-0",state="STARTING"} 0
crewd_worker_state{worker="web",instance="web-0",state="RUNNING"} 1
crewd_worker_state{worker="web",instance="web-0",state="BACKOFF"} 0
crewd_worker_state{worker="web",instance="web-0",state="STOPPING"} 0
crewd_worker_state{worker="web",instance="web-0",state="EXITED"} 0
crewd_worker_state{worker="web",instance="web-0",state="FATAL"} 0
crewd_worker_last_exit_code{worker="web",instance="web-0"} -9
crewd_worker_start_time_seconds{worker="web",instance="web-0"} 1799999990
crewd_worker_wanted{worker="web",instance="web-0"} 1
crewd_worker_restart_budget_remaining{worker="web",instance="web-0"} 3
crewd_worker_cpu_seconds_total{worker="web",instance="web-0"} 12.25
crewd_worker_memory_bytes{worker="web",instance="web-0",kind="rss"} 4096
crewd_worker_memory_bytes{worker="web",instance="web-0",kind="pss"} 2048
crewd_worker_open_fds{worker="web",instance="web-0"} 7
""".splitlines()


def crew_of(policy: RestartPolicy = LIMIT, *workers: str) -> CrewSpec:
    """Return a configuration in which all have this policy."""
    return CrewSpec({name: WorkerSpec(name, ("x",), policy=policy) for name in workers or ("web",)})


class Page:
    """A view, and its page as the tests ask for it."""

    def __init__(self, it: Shown) -> None:
        self.it, self.view = it, it.view
        self.calls = Calls()
        self.wall, self.boot = WALL, BOOT
        self.metrics = Metrics(self.view, self.calls, lambda: self.wall, lambda: self.boot)

    def text(self) -> str:
        """Return the page."""
        return self.metrics.render().decode()

    def lines(self, *begins: str) -> list[str]:
        """Return the samples of metrics whose names begin so, as they stand on the page."""
        return [line for line in self.text().splitlines() if line.startswith(begins)]

    def values(self, name: str) -> dict[str, float]:
        """Return the samples of one name, as a parser reads them: values by the last label's value."""
        return {
            next(reversed(sample.labels.values()), ""): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
            if sample.name == name
        }


def page(**records: Record) -> Page:
    """Return the page of these instances, ``web_0`` meaning ``web-0``, with totals and a limit."""
    return Page(shown({name.replace("_", "-"): one for name, one in records.items()}, crew_of(), TOTALS))


def per_instance(text: str, instance: str) -> list[str]:
    """Return the series of one instance."""
    return [line for line in text.splitlines() if f'instance="{instance}"' in line]


def test_a_worker_has_exactly_these_lines() -> None:
    """The format is read by programs: each character counts."""
    assert (
        page(web_0=RUNNING).lines("crewd_worker_restarts", "crewd_worker_restart_att", "crewd_worker_exits")
        == (WORKER_LINES[:13])
    )
    assert page(web_0=RUNNING).lines("crewd_worker_restart_duration") == WORKER_LINES[13:]


def test_an_instance_has_exactly_these_lines() -> None:
    """One that runs, and was looked at."""
    one = page(web_0=RUNNING)
    one.view.usages.of = {"web-0": USAGE}

    assert per_instance(one.text(), "web-0") == INSTANCE_LINES


def test_the_whole_page_is_what_a_parser_expects() -> None:
    """Every family has its type and its help, stands together, and there are no others than those promised."""
    one = page(web_0=RUNNING, web_1=WAITING)
    one.view.usages.of, one.view.usages.at = {"web-0": USAGE}, WALL
    one.view.applies.successful, one.view.applies.at = True, WALL
    one.calls.timed("version", 0.001)
    found = {family.name: family for family in text_string_to_metric_families(one.text())}
    promised = {family.name.removesuffix("_total"): family for family in FAMILIES}

    assert found.keys() == promised.keys()
    for name, family in promised.items():
        assert (found[name].type, found[name].documentation) == (family.kind.value, family.help)
        for sample in found[name].samples:
            assert set(sample.labels) - {"le"} == set(family.labels)


def test_every_instance_has_at_most_fifteen_series() -> None:
    """Whatever state it is in, all of it readable: it is what a thousand instances cost."""
    lively = [Record(Standing.UP, state, pid=7, started_wall=WALL, exits=(CRASH,)) for state in ProcessState]
    waiting = [Record(Standing.UP, state, due_at=BOOT, exits=(CRASH,)) for state in ProcessState]
    records = {f"web-{slot}": record for slot, record in enumerate([*lively, *waiting])}
    one = Page(shown(records, crew_of(), TOTALS))
    one.view.usages.of = dict.fromkeys(records, USAGE)
    text = one.text()

    assert max(len(per_instance(text, name)) for name in records) == 15


def test_exactly_one_state_is_1() -> None:
    """Also UNKNOWN, which has a series only while it is the state."""
    records = {f"web-{state.value}": Record(process_state=state) for state in ProcessState}
    one = Page(shown(records, crew_of()))
    states = [line for line in one.lines("crewd_worker_state") if line.endswith(" 1")]

    assert sorted(line.rpartition("state=")[2] for line in states) == sorted(f'"{s.name}"}} 1' for s in ProcessState)
    assert one.text().count('state="UNKNOWN"') == 1


def test_counters_begin_at_0() -> None:
    """An increase from nothing would not be seen: the first crash counts like the second."""
    one = Page(shown({"new-0": RUNNING}, crew_of(), {}))

    assert set(one.values("crewd_worker_restarts_total").values()) == {0}
    assert one.values("crewd_worker_restart_attempts_total") == {"success": 0, "failure": 0}
    assert set(one.values("crewd_worker_exits_total").values()) == {0}
    assert one.values("crewd_events_total")["exited"] == 0
    assert one.values("crewd_worker_restart_duration_seconds_count") == {"new": 0}


def test_totals_that_are_not_known_are_absent() -> None:
    """A counter of 0 would be taken for a counter that began anew."""
    text = Page(shown({"web-0": RUNNING}, crew_of())).text()

    of_memory = ("cpu", "audit_lost")
    counters = [family.name for family in FAMILIES if family.kind is not Kind.GAUGE]
    counted = [name for name in counters if not any(word in name for word in of_memory)]
    assert not [line for line in text.splitlines() if line.startswith(tuple(counted))]
    assert "crewd_worker_state" in text


def test_a_removed_worker_s_series_vanish() -> None:
    """Labels are bounded by the configuration. Its totals are still there when it comes back."""
    one = page(web_0=RUNNING)
    one.text()
    one.it.observe({"api-0": RUNNING})
    assert 'worker="web"' not in one.text()

    one.it.observe({"web-0": RUNNING})
    assert one.values("crewd_worker_restarts_total")["ExitCode"] == 6


def test_the_last_bucket_holds_all_that_were_counted() -> None:
    """Each bucket holds those below, +Inf and _count the same: else no quantile can be computed."""
    one = page(web_0=RUNNING)
    lag = one.values("crewd_engine_restart_lag_seconds_bucket")

    assert [lag[bound] for bound in ("0.0005", "0.001", "0.0025", "0.005", "+Inf")] == [0, 2, 2, 3, 3]
    assert one.values("crewd_engine_restart_lag_seconds_count") == {"": 3}
    assert one.values("crewd_engine_restart_lag_seconds_sum") == {"": 0.0035}


@pytest.mark.parametrize(
    ("exits", "code"), [((), None), ((CRASH,), -9), ((CRASH, FAULT), 3), ((FAULT, UNBORN), None)], ids=str
)
def test_the_last_exit_code_is_that_of_the_last_end(exits: tuple[PastExit, ...], code: int | None) -> None:
    """Minus the signal; nothing where there is no truth to tell."""
    one = page(web_0=Record(exits=exits))

    assert one.values("crewd_worker_last_exit_code") == ({} if code is None else {"web-0": code})


def test_a_restart_that_is_due_is_shown_until_it_comes() -> None:
    """On the wall clock, though the engine counts on another."""
    one = page(web_0=WAITING)
    assert one.values("crewd_worker_next_restart_timestamp_seconds") == {"web-0": WALL + 1.5}

    one.it.observe({"web-0": RUNNING})
    assert not one.values("crewd_worker_next_restart_timestamp_seconds")


def test_the_budget_grows_as_starts_leave_the_window() -> None:
    """Nothing happened, and yet there is more left."""
    one = page(web_0=RUNNING)
    assert one.values("crewd_worker_restart_budget_remaining") == {"web-0": 3}
    one.boot = BOOT + 30 - 0.001
    assert one.values("crewd_worker_restart_budget_remaining") == {"web-0": 3}

    one.boot = BOOT + 30
    assert one.values("crewd_worker_restart_budget_remaining") == {"web-0": 4}
    one.boot = BOOT + 50
    assert one.values("crewd_worker_restart_budget_remaining") == {"web-0": 5}


def test_who_should_run_is_told_from_who_is_at_rest() -> None:
    """Of whom nobody knows there is no line; who was never started is asked of the configuration."""
    stopped, unknown = Record(Standing.STOPPED), Record(process_state=ProcessState.UNKNOWN)
    one = page(web_0=RUNNING, web_1=WAITING, web_2=stopped, web_3=unknown, web_4=Record(), other_0=Record())

    assert one.values("crewd_worker_wanted") == {"web-0": 1, "web-1": 1, "web-2": 0, "web-4": 1}


@pytest.mark.parametrize("spec", [crew_of(NO_LIMIT), crew_of(LIMIT, "other"), None], ids=["no limit", "other", "none"])
def test_there_is_no_budget_without_a_known_limit(spec: CrewSpec | None) -> None:
    """Infinity is no number to alert on."""
    assert not Page(shown({"web-0": RUNNING}, spec, TOTALS)).lines("crewd_worker_restart_budget")


def test_a_limit_for_ever_is_a_limit() -> None:
    """``start_limit_interval_sec: infinity``."""
    one = Page(shown({"web-0": RUNNING}, crew_of(RestartPolicy(start_limit_burst=5, start_limit_interval_sec=inf))))

    assert one.values("crewd_worker_restart_budget_remaining") == {"web-0": 2}


def test_what_may_not_be_read_is_absent() -> None:
    """The daemon may not see the memory maps of another user's process."""
    one = page(web_0=RUNNING)
    one.view.usages.of = {"web-0": Usage(1.0, 0.0, 4096, None, None, 1)}

    assert one.values("crewd_worker_memory_bytes") == {"rss": 4096}
    assert not one.lines("crewd_worker_open_fds")


def test_a_process_that_is_gone_uses_nothing() -> None:
    """The last sample may be older than its end."""
    one = page(web_0=WAITING)
    one.view.usages.of = {"web-0": USAGE}

    assert not one.lines("crewd_worker_cpu", "crewd_worker_memory", "crewd_worker_start_time")


def test_labels_are_escaped() -> None:
    """Names are those of the configuration; should a record bear another, the page is still read as a whole."""
    odd = 'a"b\\c\nd\udc80-0'
    one = Page(shown({odd: RUNNING, "web-0": RUNNING}, crew_of(), TOTALS))
    text = one.text()

    assert r'crewd_worker_restarts_total{worker="a\"b\\c\nd?",reason="Signal"} 0' in text
    assert set(one.values("crewd_worker_last_exit_code")) == {odd.replace("\udc80", "?"), "web-0"}


def test_instances_stand_in_the_order_of_their_numbers() -> None:
    """A person reads the page, too."""
    one = Page(shown(dict.fromkeys(("web-10", "web-9", "api-0", "web-2"), RUNNING), crew_of()))
    order = [line.split('"')[3] for line in one.lines("crewd_worker_last_exit_code")]

    assert order == ["api-0", "web-2", "web-9", "web-10"]


def test_the_page_follows_what_happens() -> None:
    """Kept lines are of those alone that did not change."""
    one = page(web_0=RUNNING, web_1=RUNNING)
    one.view.usages.of = {"web-0": USAGE, "web-1": USAGE}
    one.text()
    one.it.observe({"web-0": WAITING, "web-1": RUNNING})
    one.view.totals.add({Key(Total.RESTARTS, "web", "ExitCode"): 1.0})
    one.view.usages.of = {"web-1": Usage(13.0, 0.0, 1, 1, 1, 1)}

    assert one.values("crewd_worker_restarts_total")["ExitCode"] == 7
    assert one.values("crewd_worker_last_exit_code") == {"web-0": 3, "web-1": -9}
    assert one.values("crewd_worker_cpu_seconds_total") == {"web-1": 13.0}


def test_a_page_is_of_one_moment_though_the_crew_changes_meanwhile() -> None:
    """It is made in a thread: the crew grows and shrinks, totals come in, and each page is whole."""
    one = page(web_0=RUNNING)
    one.view.totals.load({})
    sizes = count(1, 7)
    with ThreadPoolExecutor(1) as thread:
        for _ in range(60):
            made = thread.submit(one.text)
            while not made.done():
                crew = {f"web-{slot}": RUNNING for slot in range(1 + next(sizes) % 50)}
                one.it.observe(crew)
                one.view.usages.of = dict.fromkeys(crew, USAGE)
                one.view.totals.add(BOTH)
            found = dict(line.rsplit(" ", 1) for line in made.result().splitlines() if line.startswith("crewd_"))

            assert found[RESTARTED] == found[SUCCEEDED]
            assert sum('"RUNNING"' in name for name in found) == sum("last_exit_code" in name for name in found)


def test_the_daemon_tells_of_itself() -> None:
    """Of the store, the journal, supervisord and the configuration."""
    one = page(web_0=RUNNING)
    one.view.crew.stale = False
    tuple(one.view.supervision.found(EngineVersion(1, "1", "4.3", 7, "g1"), 0.0))

    assert one.values("crewd_build_info") == {__version__: 1}
    assert one.values("crewd_store_up") == {"": 0}
    assert one.values("crewd_picture_stale") == {"": 0}
    assert one.values("crewd_supervisord_up") == {"": 1}
    assert one.values("crewd_journal_lag_events") == {"": 1}
    assert one.values("crewd_journal_lost_events_total") == {"": 2}
    assert one.values("crewd_events_total")["exited"] == 6


def test_the_store_is_up_while_it_takes_what_happens() -> None:
    """Open, and no trouble with it."""
    one = page(web_0=RUNNING)
    one.view.recorder.recorded.open = True
    assert one.values("crewd_store_up") == {"": 1}

    one.view.recorder.recorded.trouble = "cannot write: disk full"
    assert one.values("crewd_store_up") == {"": 0}


def test_there_is_no_word_on_the_configuration_before_the_first_apply() -> None:
    """Neither success nor failure; and a failure keeps the time of the last success."""
    one = page(web_0=RUNNING)
    assert not one.lines("crewd_config")

    one.view.applies.successful, one.view.applies.at = False, WALL
    assert one.values("crewd_config_last_apply_successful") == {"": 0}
    assert one.values("crewd_config_last_apply_timestamp_seconds") == {"": WALL}


def test_calls_of_supervisord_are_timed_by_method() -> None:
    """And the time that the series was created is not shown: the format has no place for it."""
    one = page(web_0=RUNNING)
    one.calls.timed("version", 0.002)
    one.calls.timed("why", 7.0)

    assert one.values("crewd_supervisord_rpc_duration_seconds_count") == {"version": 1, "why": 1}
    assert one.values("crewd_supervisord_rpc_duration_seconds_sum") == {"version": 0.002, "why": 7.0}
    assert "_created" not in one.text()


def test_each_metric_has_a_name_of_its_own() -> None:
    """And the suffix that its type asks for."""
    names = [family.name for family in FAMILIES]

    assert len(set(names)) == len(names)
    assert [name for name in names if name.endswith("_total")] == _of_kind(Kind.COUNTER)
    assert [name for name in _of_kind(Kind.HISTOGRAM) if not name.endswith("_seconds")] == []


def _of_kind(kind: Kind) -> Iterable[str]:
    return [family.name for family in FAMILIES if family.kind is kind]


# What workers report


def reporting(**pulses: Pulse) -> Page:
    """Return the page of web-0 and web-1, which run, and of idle-0, of which a heartbeat is expected."""
    spec = crew_of()
    workers = {**spec.workers, "idle": WorkerSpec("idle", ("true",), heartbeat_stale_sec=30.0)}
    one = Page(shown({"idle-0": RUNNING, "web-0": RUNNING, "web-1": RUNNING, "gone-0": WAITING}, CrewSpec(workers)))
    one.view.heartbeats.load({name.replace("_", "-"): pulse for name, pulse in pulses.items()})
    return one


def test_what_workers_say_is_added_up() -> None:
    """Of the instances that run; of one that never said anything only what is missed."""
    one = reporting(
        web_0=Pulse(Heartbeat(WALL - 9, BOOT - 9, 3, 2, 1), stale=False, stale_count=2),
        web_1=Pulse(Heartbeat(WALL - 20, BOOT - 20.5, 4), stale=True, stale_count=1),
        gone_0=Pulse(Heartbeat(WALL - 99, BOOT - 99, 100, 100, 100), stale=False, stale_count=1),
    )

    assert one.lines("crewd_worker_heartbeat", "crewd_worker_assigned", "crewd_worker_active", "crewd_worker_rep") == [
        'crewd_worker_heartbeat_age_seconds{worker="web"} 20.5',
        'crewd_worker_heartbeat_stale{worker="gone"} 0',
        'crewd_worker_heartbeat_stale{worker="idle"} 0',
        'crewd_worker_heartbeat_stale{worker="web"} 1',
        'crewd_worker_heartbeats_stale_total{worker="gone"} 1',
        'crewd_worker_heartbeats_stale_total{worker="idle"} 0',
        'crewd_worker_heartbeats_stale_total{worker="web"} 3',
        'crewd_worker_assigned_accounts{worker="web"} 7',
        'crewd_worker_active_tasks{worker="web"} 2',
        'crewd_worker_reported_errors{worker="web"} 1',
    ]
    assert not [line for line in one.lines("crewd_worker_heartbeat") if "instance=" in line]


def test_missed_heartbeats_of_instances_that_are_no_more_stay_counted() -> None:
    """A worker that is scaled down does not look as if its counter began anew; one that is removed is not shown."""
    missed = Pulse(Heartbeat(WALL - 9, BOOT - 9), stale=False, stale_count=2)
    one = reporting(web_0=missed, web_7=missed, idle_1=missed, removed_0=missed)

    counted = 'crewd_worker_heartbeats_stale_total{worker="%s"} %d'
    assert one.lines("crewd_worker_heartbeats_stale") == [counted % ("idle", 2), counted % ("web", 4)]


def test_missed_heartbeats_are_not_counted_before_the_database_told_of_them() -> None:
    """A counter that began at 0 and jumped would look as if all were missed at once."""
    one = Page(shown({"web-0": RUNNING}, crew_of()))
    one.view.heartbeats.hear("web-0", Heartbeat(WALL - 9, BOOT - 9))

    assert one.lines("crewd_worker_heartbeats_stale") == []
    assert one.lines("crewd_worker_heartbeat_stale") == ['crewd_worker_heartbeat_stale{worker="web"} 0']


def test_who_does_not_report_has_no_such_series() -> None:
    """A crew of a thousand that never does costs nothing."""
    assert Page(shown({"web-0": RUNNING}, crew_of())).lines("crewd_worker_heartbeat", "crewd_worker_active") == []
