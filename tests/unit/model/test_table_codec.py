"""The policy table's codec."""

import json
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crew_strategies import policies, seconds, text
from crewd.model.spec import CLEAN_EXITS, JournalSync, KillMode, Loop, RestartPolicy
from crewd.model.table import TABLE_VERSION, Entry, Table, TableError, decode, encode

entries = st.builds(
    Entry,
    instance=text,
    worker_id=text,
    slot=st.integers(0, 9999),
    section=text,
    fingerprint=text,
    settings=text,
    policy=policies,
    timeout_stop_sec=seconds | st.just(inf),
    kill_mode=st.sampled_from(KillMode),
    environment=st.dictionaries(text, text | st.just("infinity"), max_size=3),
    stdin_null=st.booleans(),
    setpriv=st.booleans(),
)
tables = st.builds(
    Table,
    name=text,
    entries=st.dictionaries(text, entries, max_size=3),
    loop=st.sampled_from(Loop),
    journal_sync=st.sampled_from(JournalSync),
    log_directory=text,
    listeners=st.dictionaries(text, text, max_size=2),
)
ENTRY = Entry("web-0", "web", 0, "[program:web-0]\n", "f", "s")
TABLE = Table("abc", {"web-0": ENTRY})


def changed(**members: object) -> str:
    """Return the table's text with members replaced; ``...`` takes one out."""
    raw = json.loads(encode(TABLE)) | members
    return json.dumps({name: value for name, value in raw.items() if value is not ...})


def changed_entry(**members: object) -> str:
    raw = json.loads(encode(TABLE))["entries"]["web-0"] | members
    return changed(entries={"web-0": {name: value for name, value in raw.items() if value is not ...}})


@given(table=tables)
def test_a_table_survives_its_text(table: Table) -> None:
    """Infinity included, wherever a setting may be infinite; surrogates too."""
    text = encode(table)

    assert decode(text) == table
    assert decode(text.encode("ascii")) == table


def test_infinity_is_written_as_a_word() -> None:
    """JSON knows no infinite number."""
    policy = RestartPolicy(start_limit_interval_sec=inf, restart_reset_sec=inf, restart_max_delay_sec=inf)
    table = Table("abc", {"web-0": Entry("web-0", "web", 0, "", "f", "s", policy, timeout_stop_sec=inf)})
    raw = json.loads(encode(table))["entries"]["web-0"]

    assert raw["timeout_stop_sec"] == "infinity"
    assert raw["policy"]["start_limit_interval_sec"] == "infinity"
    assert decode(encode(table)).entries["web-0"].timeout_stop_sec == inf


def test_a_variable_that_says_infinity_stays_a_word() -> None:
    """Only settings measured in seconds are numbers."""
    table = Table("abc", {"web-0": Entry("web-0", "web", 0, "", "f", "s", environment={"LIMIT": "infinity"})})

    assert decode(encode(table)).entries["web-0"].environment == {"LIMIT": "infinity"}


def test_the_same_table_has_the_same_text() -> None:
    """Whatever the order in which it was built: its hash names the generation."""
    one, two = (Table("abc", dict.fromkeys(names, ENTRY)) for names in (("a", "b"), ("b", "a")))

    assert encode(one) == encode(two)


def test_the_clean_exits_of_all_entries_are_one_object() -> None:
    """A thousand equal sets would be a megabyte in supervisord."""
    assert decode(encode(TABLE)).entries["web-0"].policy.success_exit_status is CLEAN_EXITS


def test_what_a_later_release_added_is_skipped() -> None:
    """An engine that runs on through an upgrade takes the tables of its successor, in all that it understands."""
    policy = json.loads(encode(TABLE))["entries"]["web-0"]["policy"] | {"restart_mood": "good"}

    assert decode(changed(colour="red")) == TABLE
    assert decode(changed_entry(levitate=True, policy=policy)) == TABLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        b"\xff",
        encode(TABLE)[:-3],
        changed(version=TABLE_VERSION + 1),
        changed(version=...),
        changed(name=...),
        changed(entries=...),
        changed(entries=[]),
        changed(listeners=...),
        changed(listeners=3),
        changed(entries={"web-0": None}),
        changed(loop="hula"),
        changed(journal_sync=3),
        changed_entry(slot=...),
        changed_entry(policy={}),
        changed_entry(policy=None),
        changed_entry(kill_mode="kindly"),
    ],
)
def test_what_is_no_table_is_refused_with_a_sentence(text: str | bytes) -> None:
    """Anything but a whole table of this version: TableError, and no other exception."""
    with pytest.raises(TableError, match=r"^cannot read policy table: "):
        decode(text)
