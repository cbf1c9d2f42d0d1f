"""``reset:`` in the configuration: the options of each type are read as strictly as any key."""

import pytest

from crewd.config import json_schema, load
from crewd.model.spec import ResetAction, ResetSpec
from crewd_plugins.resets.command import CommandOptions
from crewd_plugins.resets.redis import RedisOptions
from crewd_plugins.resets.sql import SqlOptions

SECRET = "s3cret-pa55"
REDIS = f"{{type: redis, url: 'redis://:{SECRET}@h/0', locks: [a]}}"


def worker(reset: str) -> str:
    """Return a file with a worker that has this reset."""
    return f"workers:\n  w:\n    command: x\n    reset: {reset}\n"


def actions(*each: str) -> str:
    """Return a file whose worker has these entries, one a line from the sixth on."""
    lines = "".join(f"        - {one}\n" for one in each)
    return f"workers:\n  w:\n    command: x\n    reset:\n      actions:\n{lines}"


def test_each_type_becomes_its_options(crew):
    """With the defaults that its dataclass has."""
    spec = crew(
        actions(
            "{type: redis, url: redis://h, locks: [a, b], wallet_locks: 'w:*', timeout_sec: 500ms}",
            "{type: sql, url: 'sqlite:////x', statement: 'DELETE FROM l WHERE n = :key', keys: [k], "
            "parameters: {a: 1}}",
            "{type: command, argv: [/bin/true, x], deadline_sec: 5}",
        )
    ).spec

    assert spec.workers["w"].reset == ResetSpec(
        (
            ResetAction("redis", RedisOptions(url="redis://h", locks=("a", "b"), wallet_locks="w:*", timeout_sec=0.5)),
            ResetAction(
                "sql",
                SqlOptions(
                    url="sqlite:////x", statement="DELETE FROM l WHERE n = :key", keys=("k",), parameters={"a": "1"}
                ),
            ),
            ResetAction("command", CommandOptions(argv=("/bin/true", "x"), deadline_sec=5.0)),
        )
    )


def test_the_design_s_example_loads(crew):
    """As interfaces have it, the restart limiter's prefix included."""
    reset = """
      restart_process: true
      actions:
        - type: redis
          url: redis://127.0.0.1:6379/0
          locks: [scan_global_lock, manual_scan_lock, emergency_lock, transfer_lock]
          wallet_locks: "wallet_lock:*"
          ratelimit_prefixes: ["ratelimit:/:", "ratelimit:/status:", "ratelimit:/scan:", "ratelimit:/restart:"]
"""

    loaded = crew(worker(reset))

    assert loaded.warnings == ()
    assert loaded.spec.workers["w"].reset.actions[0].options.keep_prefixes == ("ratelimit:/restart:",)


def test_a_default_is_that_of_every_worker_without_its_own(crew):
    """Its own replaces all of it; null has none."""
    text = (
        "defaults:\n  reset: {actions: [{type: command, argv: [/bin/true]}]}\n"
        "workers:\n  a: {command: x}\n  b: {command: x, reset: {restart_process: false}}\n"
        "  c: {command: x, reset: null}\n"
    )

    workers = crew(text).spec.workers

    assert workers["a"].reset.actions[0].type == "command"
    assert workers["b"].reset == ResetSpec(restart_process=False)
    assert workers["c"].reset is None


@pytest.mark.parametrize(
    ("reset", "place", "message"),
    [
        ("[]", "4:12: workers.w.reset", "expects a mapping of restart_process and actions, found a list"),
        ("{action: []}", "4:13: workers.w.reset.action", "unknown key: did you mean actions?"),
        ("{restart_process: no}", "4:30: workers.w.reset.restart_process", "expects true or false, found no"),
        ("{actions: {}}", "4:22: workers.w.reset.actions", "expects a list of mappings, each with a type"),
        ("{actions: [x]}", "4:23: workers.w.reset.actions[0]", "expects a mapping with a type"),
        ("{actions: [{url: x}]}", "4:23: workers.w.reset.actions[0]", "type is missing: write one of command, http,"),
        (
            "{actions: [{type: rediss}]}",
            "4:30: workers.w.reset.actions[0].type",
            "cannot use reset type 'rediss': there is no such plugin; installed are command, http, redis, sql",
        ),
        (
            "{actions: [{type: command}]}",
            "4:23: workers.w.reset.actions[0]",
            "argv is missing: a reset of type command",
        ),
        (
            "{actions: [{type: command, argv: [x], urls: y}]}",
            "4:50: workers.w.reset.actions[0].urls",
            "unknown key: ",
        ),
        (
            "{actions: [{type: command, argv: [x], deadline_sec: 20m}]}",
            "4:64: workers.w.reset.actions[0].deadline_sec",
            "is too long: at most 10m",
        ),
        (
            "{actions: [{type: command, argv: [x], user: nobody-here}]}",
            "4:56: workers.w.reset.actions[0].user",
            'there is no user "nobody-here" on this machine',
        ),
        (
            "{actions: [{type: redis, url: redis://h, locks: [a, a]}]}",
            "4:60: workers.w.reset.actions[0].locks",
            "names a twice: remove one",
        ),
        (
            "{actions: [{type: redis, url: redis://h, wallet_locks: 'a*b*'}]}",
            "4:67: workers.w.reset.actions[0].wallet_locks",
            "expects a key with one * in it",
        ),
        (
            "{actions: [{type: redis, url: redis://h, wallet_locks: '*'}]}",
            "4:67: workers.w.reset.actions[0].wallet_locks",
            "would match every key",
        ),
        (
            "{actions: [{type: redis, url: redis://h, ratelimit_prefixes: ['']}]}",
            "4:74: workers.w.reset.actions[0].ratelimit_prefixes[0]",
            "expects name",
        ),
        (
            "{actions: [{type: redis, url: redis://h, locks: [a], owner: '{pid}'}]}",
            "4:72: workers.w.reset.actions[0].owner",
            "has an unknown placeholder",
        ),
        (
            "{actions: [{type: redis, url: redis://h, locks: [a], owner: '*'}]}",
            "4:72: workers.w.reset.actions[0].owner",
            "would be anybody",
        ),
        ("{actions: [{type: redis, url: redis://h}]}", "4:42: workers.w.reset.actions[0].url", "nothing is cleared"),
        (
            "{actions: [{type: http, url: https://h/, hmac_key: k}]}",
            "4:63: workers.w.reset.actions[0].hmac_key",
            "goes with hmac_secret_file",
        ),
        (
            "{actions: [{type: http, url: https://h/, api_key_file: key}]}",
            "4:67: workers.w.reset.actions[0].api_key_file",
            "expects an absolute path, found key",
        ),
        (
            "{actions: [{type: sql, url: 'sqlite:////x', keys: [k], statement: SELECT 1}]}",
            "4:78: workers.w.reset.actions[0].statement",
            "is neither DELETE FROM nor UPDATE",
        ),
    ],
)
def test_a_mistake_is_told_at_its_place(refused, reset, place, message):
    """One mistake makes one problem."""
    [problem] = refused(worker(reset))

    assert place in problem
    assert message in problem


@pytest.mark.parametrize(
    "entry",
    [
        f"{{type: redis, url: 'redis://:{SECRET}@h:0', locks: [a]}}",
        f"{{type: redis, url: 'redis://:{SECRET}@h/x', locks: [a]}}",
        f"{{type: redis, url: 'http://:{SECRET}@h', locks: [a]}}",
        f"{{type: redis, url: ['redis://:{SECRET}@h'], locks: [a]}}",
        f"{{type: redis, url: 'redis://:{SECRET}@h/0?socket_timeout=1', locks: [a]}}",
        f"{{type: redis, url: 'redis://:{SECRET}@[h/0', locks: [a]}}",
        f"{{type: redis, url: 'redis://:{SECRET}@h/0', lokcs: [a]}}",
        f"{{type: sql, url: 'mysql://u:{SECRET}@h/d', statement: 'DELETE FROM l WHERE n = :key', keys: [k]}}",
        f"{{type: http, url: 'https://u:{SECRET}@h/'}}",
    ],
)
def test_no_message_repeats_a_secret(refused, entry):
    """Whatever is wrong with it, or beside it."""
    problems = refused(actions(entry))

    assert problems
    assert SECRET not in "".join(problems)


def test_all_mistakes_of_all_entries_are_told(refused):
    """Each at its line."""
    problems = refused(actions("{type: redis}", "{type: none}", "{type: command, argv: [], deadline_sec: x}"))

    assert [problem.split(":")[1] for problem in problems] == ["6", "7", "8", "8"]


def test_the_default_worker_is_one_that_can_be_meant(refused, crew):
    """One that is not there is a mistake; one without a reset is a warning."""
    head = "crewd: {default_worker: %s}\nworkers:\n  w: {command: x, reset: {}}\n  v: {command: x}\n"

    assert crew(head % "w").spec.daemon.default_worker == "w"
    assert 'there is no worker "u"' in refused(head % "u")[0]
    [warning] = crew(head % "v").warnings
    assert "the worker v has no reset" in str(warning)


def test_a_worker_of_conf_d_may_be_the_default(folder):
    """All files are one crew."""
    (folder / "crewd.yaml").write_text("crewd: {default_worker: w}\n")
    (folder / "conf.d").mkdir()
    (folder / "conf.d/w.yaml").write_text(worker("{}"))

    assert load(str(folder / "crewd.yaml")).spec.daemon.default_worker == "w"


def test_what_is_loaded_shows_no_secret_to_whoever_prints_it(crew):
    """The options have no place for it in their text."""
    assert SECRET not in repr(crew(actions(REDIS)).spec)


def test_the_schema_knows_the_form(crew):
    """Types and options are the plugins'."""
    schema = json_schema()["$defs"]["worker"]["properties"]["reset"]["anyOf"][0]

    assert set(schema["properties"]) == {"restart_process", "actions"}
    assert schema["properties"]["actions"]["items"]["required"] == ["type"]
