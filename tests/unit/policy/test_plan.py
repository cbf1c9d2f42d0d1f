"""What a new policy table changes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from crewd.model.spec import RestartPolicy
from crewd.model.table import Entry, Table
from crewd.policy.plan import Plan, plan

names = st.sampled_from([f"web-{slot}" for slot in range(6)])
entries = st.builds(
    Entry,
    instance=st.just("web-0"),
    worker_id=st.just("web"),
    slot=st.just(0),
    section=st.just(""),
    fingerprint=st.sampled_from("ab"),
    settings=st.sampled_from("xy"),
)
tables = st.builds(Table, name=st.just("t"), entries=st.dictionaries(names, entries))


def table(**entries: Entry) -> Table:
    return Table("t", entries)


ENTRY = Entry("web-0", "web", 0, "[program:web-0]\n", "f1", "s1")


def test_each_instance_goes_where_its_change_leads() -> None:
    """Added, removed, restarted for a new fingerprint, changed in place for anything else, kept for nothing."""
    old = table(kept=ENTRY, gone=ENTRY, moved=ENTRY, tuned=ENTRY)
    new = table(
        kept=ENTRY,
        moved=replace(ENTRY, fingerprint="f2", settings="s2"),
        tuned=replace(ENTRY, settings="s2", policy=RestartPolicy(restart_sec=5)),
        fresh=ENTRY,
    )

    assert plan(old, new) == Plan(("fresh",), ("gone",), ("moved",), ("tuned",), ("kept",))


def test_a_change_of_the_policy_alone_touches_no_process() -> None:
    """Restart settings are read at the next verdict."""
    new = table(web=replace(ENTRY, policy=RestartPolicy(start_limit_burst=1)))

    assert plan(table(web=ENTRY), new) == Plan(changed=("web",))


def test_the_same_table_changes_nothing() -> None:
    """Whatever its name: a name is no change."""
    assert plan(table(web=ENTRY), Table("other", {"web": ENTRY})).empty


def test_any_change_is_not_empty() -> None:
    """Kept instances alone make a plan empty."""
    assert Plan(kept=("a",)).empty
    assert not any(Plan(**{kind: ("a",)}).empty for kind in ("added", "removed", "restarted", "changed"))


@given(old=tables, new=tables)
def test_every_instance_is_in_exactly_one_place(old: Table, new: Table) -> None:
    """The five tuples are sorted, disjoint, and together all names of both tables."""
    found = plan(old, new)
    kinds = (found.added, found.removed, found.restarted, found.changed, found.kept)

    assert sorted(name for kind in kinds for name in kind) == sorted(old.entries.keys() | new.entries.keys())
    assert all(list(kind) == sorted(kind) for kind in kinds)


@given(old=tables, new=tables)
def test_the_way_back_undoes_the_way_there(old: Table, new: Table) -> None:
    """Added and removed change places; what restarts, changes or is kept does so both ways."""
    there, back = plan(old, new), plan(new, old)

    assert (there.added, there.removed) == (back.removed, back.added)
    assert (there.restarted, there.changed, there.kept) == (back.restarted, back.changed, back.kept)
