"""The totals as any thread sees them: of one transaction, and never changed in place."""

from crewd.model.accounts import Key, Total
from crewd.reconcile.totals import Totals

WEB, API, LOST = Key(Total.RESTARTS, "web", "ExitCode"), Key(Total.RESTARTS, "api", "ExitCode"), Key(Total.LOST)


def loaded() -> Totals:
    """Return totals of two workers."""
    totals = Totals()
    totals.load({WEB: 2.0, API: 1.0, LOST: 3.0})
    return totals


def test_nothing_is_known_until_the_database_told() -> None:
    """A total of 0 would be a lie."""
    totals = Totals()
    assert totals.now() is None
    assert not totals.known

    totals.load({})
    assert totals.now() == {}
    assert totals.known


def test_totals_grow() -> None:
    """By what was written, those never heard of from 0 on."""
    totals = loaded()
    totals.add({WEB: 1.0, Key(Total.EXITS, "new", "Signal"): 4.0, LOST: 1.0})

    assert totals.get(Total.RESTARTS, "web", "ExitCode") == 3.0
    assert totals.get(Total.EXITS, "new", "Signal") == 4.0
    assert totals.get(Total.LOST) == 4.0
    assert totals.get(Total.EXITS, "web", "Signal") == 0.0


def test_what_was_handed_out_never_changes() -> None:
    """The page is made of it in another thread."""
    totals = loaded()
    before = totals.now()
    totals.add({WEB: 1.0})

    assert before is not None
    assert before["web"] == {(Total.RESTARTS, "ExitCode"): 2.0}


def test_amounts_that_did_not_change_stay_the_same_object() -> None:
    """Whoever kept something that was made of them goes by that."""
    totals = loaded()
    before = totals.now()
    totals.add({WEB: 1.0})
    after = totals.now()

    assert before is not None
    assert after is not None
    assert after["api"] is before["api"]
    assert after["web"] is not before["web"]


def test_loading_again_forgets_what_was_added_and_not_stored() -> None:
    """After a failure only the database knows."""
    totals = loaded()
    totals.load({WEB: 2.0})

    assert totals.now() == {"web": {(Total.RESTARTS, "ExitCode"): 2.0}}
