"""The rendering: one program per instance, nothing unescaped, a name made of its content, all mistakes at once."""

import configparser
from dataclasses import replace

import pytest

from crewd.errors import ConfigError
from crewd.model.generated import untouched
from crewd.model.home import Home
from crewd.model.spec import CrewSpec, EngineSpec, KillMode, LogFile, Loop, RestartPolicy, Stdin, WorkerSpec
from crewd.supervisord import render as rendering
from crewd.supervisord.render import fixed_sections, render
from crewd.supervisord.surroundings import Account, Identity, Surroundings

HOME = Home.under("/srv/crew")
WEB = WorkerSpec("web", ("serve", "--fast"))


def crew(*workers, **listeners):
    return CrewSpec({worker.worker_id: worker for worker in workers}, engine=EngineSpec(eventlisteners=listeners))


def rendered(*workers, surroundings=None, **listeners):
    return render(crew(*workers, **listeners), HOME, surroundings or Surroundings("box"), "/etc/crewd.yaml")


def sections(conf_text):
    parser = configparser.RawConfigParser(strict=True)
    parser.read_string(conf_text)
    return {name: dict(parser[name]) for name in parser.sections()}


def problems(*workers, **listeners):
    with pytest.raises(ConfigError) as mistakes:
        rendered(*workers, **listeners)
    return [str(problem) for problem in mistakes.value.problems]


def test_each_instance_is_a_program_of_its_own():
    """Scaling touches nobody else."""
    found = sections(rendered(replace(WEB, instances=2), WorkerSpec("db", ("db",))).conf_text)

    assert [name for name in found if name.startswith("program:")] == ["program:web-0", "program:web-1", "program:db-0"]
    assert not any("numprocs" in options for options in found.values())
    assert not {"include", "group"} & {name.split(":")[0] for name in found}


def test_supervisord_itself_leaves_all_restarts_to_the_engine():
    """It must neither restart nor give up by its own counting."""
    found = sections(rendered(WEB).conf_text)["program:web-0"]

    assert found["autorestart"] == "false"
    assert found["startretries"] == "2000000000"


def test_an_entry_has_its_section_as_it_stands_in_the_file():
    """The engine parses only that when it adds a program."""
    one = rendered(replace(WEB, instances=3))

    for entry in one.table.entries.values():
        assert entry.section.startswith(f"[program:{entry.instance}]\n")
        assert f"\n{entry.section}" in one.conf_text
        assert (
            sections(entry.section)[f"program:{entry.instance}"] == sections(one.conf_text)[f"program:{entry.instance}"]
        )


@pytest.mark.parametrize(
    ("mode", "stop", "kill"),
    [("mixed", "false", "true"), ("process", "false", "false"), ("control-group", "true", "true")],
)
def test_a_kill_mode_is_said_in_supervisors_words(mode, stop, kill):
    """Whom the stop signal and the kill reach."""
    found = sections(rendered(replace(WEB, kill_mode=KillMode(mode))).conf_text)["program:web-0"]

    assert (found["stopasgroup"], found["killasgroup"]) == (stop, kill)


def test_fractions_of_seconds_are_rounded_up_in_the_file_and_exact_in_the_table():
    """The file knows whole seconds only; the engine has the truth."""
    one = rendered(replace(WEB, timeout_stop_sec=0.2, policy=RestartPolicy(start_success_sec=1.5)))
    found = sections(one.conf_text)["program:web-0"]

    assert (found["startsecs"], found["stopwaitsecs"]) == ("2", "1")
    assert one.table.entries["web-0"].timeout_stop_sec == 0.2
    assert one.table.entries["web-0"].policy.start_success_sec == 1.5


def test_a_stop_that_never_times_out_is_a_very_long_one():
    """supervisor has no infinity."""
    one = rendered(replace(WEB, timeout_stop_sec=float("inf")))

    assert sections(one.conf_text)["program:web-0"]["stopwaitsecs"] == "1000000000"


def test_logs_are_explicit_paths_or_none():
    """AUTO would make two temporary files per program at each start."""
    loud = replace(WEB, stdout=LogFile("/var/log/{instance}.log", 7, 3), stderr=LogFile("none"))
    found = sections(rendered(loud).conf_text)["program:web-0"]

    assert found["stdout_logfile"] == "/var/log/web-0.log"
    assert (found["stdout_logfile_maxbytes"], found["stdout_logfile_backups"]) == ("7", "3")
    assert found["stderr_logfile"] == "NONE"
    assert sections(rendered(WEB).conf_text)["program:web-0"]["stderr_logfile"] == "/srv/crew/log/workers/web-0.err.log"


def test_what_the_file_cannot_carry_is_in_the_table_and_only_that():
    """Each variable travels once."""
    one = rendered(replace(WEB, environment={"PLAIN": "a", "HARD": "a\\b"}))

    assert one.table.entries["web-0"].environment == {"HARD": "a\\b"}
    assert "HARD" not in one.conf_text
    assert 'PLAIN="a"' in one.conf_text


def test_another_user_is_taken_on_by_setpriv():
    """supervisor's own user= could keep supervisord from starting, and knows no group."""
    account = Account("app", 1001, 1002, "/home/app", "/bin/bash")
    one = rendered(WEB, surroundings=Surroundings("box", root=True, identities={"web": Identity(1001, 33, account)}))
    found = sections(one.conf_text)["program:web-0"]

    assert found["command"] == "/usr/bin/setpriv --reuid=1001 --regid=33 --init-groups -- serve --fast"
    assert "user" not in found
    assert one.table.entries["web-0"].setpriv
    assert 'HOME="/home/app"' in found["environment"]
    assert 'SHELL="/bin/bash"' in found["environment"]
    assert not rendered(WEB).table.entries["web-0"].setpriv


def test_standard_input_is_null_unless_a_pipe_is_asked_for():
    """As systemd's."""
    assert rendered(WEB).table.entries["web-0"].stdin_null
    assert not rendered(replace(WEB, stdin=Stdin.PIPE)).table.entries["web-0"].stdin_null


def test_descriptors_suffice_for_all_programs():
    """Five each, and some for supervisord."""
    assert sections(rendered(WEB).conf_text)["supervisord"]["minfds"] == "1024"
    assert sections(rendered(replace(WEB, instances=1000)).conf_text)["supervisord"]["minfds"] == "5200"


def test_the_header_tells_a_hand_edit():
    """Drift can be seen from the file alone."""
    text = rendered(WEB).conf_text

    assert text.startswith("; generated by crewd, do not edit")
    assert untouched(text)
    assert not untouched(text.replace("--fast", "--slow"))
    assert not untouched("")


def test_the_same_crew_has_the_same_name_and_any_change_another():
    """The name says whether anything is to be done."""
    name = rendered(WEB).name

    assert rendered(WEB).name == name
    assert rendered(replace(WEB, policy=RestartPolicy(restart_sec=9))).name != name
    assert (
        rendered(replace(WEB, environment={"A": "\\"})).name != rendered(replace(WEB, environment={"A": "\\\\"})).name
    )
    assert render(CrewSpec({"web": WEB}, engine=EngineSpec(loop=Loop.STOCK)), HOME, Surroundings("box")).name != name


def test_every_mistake_is_reported_by_worker_and_key():
    """The operator mends all of them at once, and no message shows a value."""
    found = problems(
        replace(WEB, command=("x\nhunter2",)),
        WorkerSpec("all", ("x",)),
        WorkerSpec("db", ("db",), environment={"CREWD_SPAWN": "hunter2"}),
        WorkerSpec("log", ("x",), stdout=LogFile("relative")),
        WorkerSpec("sig", ("x",), stop_signal="NOSUCH"),
        **{"db-0": {"command": "x", "bad key": "hunter2"}},
    )

    assert [problem.split(": ")[1] for problem in found] == [
        "workers.web.command",
        "workers.all.name",
        "workers.db.environment.CREWD_SPAWN",
        "workers.log.stdout_logfile",
        "workers.sig.stop_signal",
        "supervisord.eventlisteners.db-0.option",
    ]
    assert "hunter2" not in "".join(found)


def test_a_listener_may_not_have_an_instances_name():
    """supervisord would merge the two groups."""
    assert problems(WEB, **{"web-0": {"command": "x"}})[0].endswith("name: is the name of a worker's instance")


def test_a_home_that_cannot_be_written_is_refused():
    """The paths of the installation are values like all others."""
    with pytest.raises(ConfigError):
        render(crew(WEB), Home.under("/srv/a ;b"), Surroundings("box"))


def test_a_value_that_no_filter_has_escaped_does_not_get_in(monkeypatch):
    """A forgotten filter is an error, not a hole."""
    monkeypatch.setattr(rendering, "_template_text", lambda: "{% macro program(p) %}{{ p.directory }}{% endmacro %}")
    rendering._template.cache_clear()
    try:
        with pytest.raises(TypeError, match="no filter has escaped"):
            rendered(replace(WEB, directory="/"))
    finally:
        monkeypatch.undo()
        rendering._template.cache_clear()


def test_what_the_engine_cannot_take_over_is_told_from_the_rest():
    """Programs, listeners and the number of descriptors change while supervisord runs, all else does not."""
    base = fixed_sections(rendered(WEB).conf_text)

    assert fixed_sections(rendered(replace(WEB, instances=2000)).conf_text) == base
    assert fixed_sections(rendered(WEB, mail={"command": "x", "events": "EVENT"}).conf_text) == base
    assert fixed_sections(rendered(WEB, surroundings=Surroundings(root=True)).conf_text) != base


def test_the_section_of_a_listener_is_in_the_table():
    """The engine replaces it while supervisord runs."""
    one = rendered(WEB, mail={"command": "x", "events": "EVENT"})

    assert one.table.listeners["mail"].startswith("[eventlistener:mail]\n")
    assert f"\n{one.table.listeners['mail']}" in one.conf_text
