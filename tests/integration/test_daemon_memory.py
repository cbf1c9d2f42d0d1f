"""What the daemon remembers of a configuration that was right."""

from math import inf
from pathlib import Path

import pytest

from crewd.app.memory import Memory
from crewd.model.access import HmacKey, Role, Roles, Tls
from crewd.model.spec import CrewSpec, DaemonSpec, OnShutdown, SupervisordOwner
from crewd.reconcile.wanted import Wanted

KEPT = Wanted(OnShutdown.KEEP, SupervisordOwner.EXTERNAL, 65.0, essential=frozenset({"web"}))


@pytest.mark.parametrize("wanted", [Wanted(), KEPT, Wanted(stop_within_sec=inf)])
def test_what_is_remembered_is_recalled(wanted: Wanted, tmp_path: Path) -> None:
    """By the next daemon, value for value."""
    Memory(f"{tmp_path}/last.json").remember(wanted)

    assert Memory(f"{tmp_path}/last.json").recall() == wanted


def test_where_it_records_is_remembered(tmp_path: Path) -> None:
    """A daemon with a broken file must not record into another database."""
    own = DaemonSpec(listen="", database="postgresql://me:secret@host/db")
    Memory(f"{tmp_path}/last.json").remember(Wanted(spec=CrewSpec(daemon=own)))

    found = Memory(f"{tmp_path}/last.json").settings()
    assert found is not None
    assert (found.listen, found.database) == (own.listen, own.database)
    assert Memory(f"{tmp_path}/none.json").settings() is None


def test_who_may_come_in_is_remembered_without_secrets(tmp_path: Path) -> None:
    """All of it, value for value; of a key where its secret stands."""
    own = DaemonSpec(
        listen="0.0.0.0:3000",
        tls=Tls("/c.pem", "/k.pem", "/ca.pem"),
        allowed_hosts=("a.example",),
        roles=Roles({"ops": Role.OPERATOR}, {"cn": Role.ADMIN}),
        hmac_keys={"k": HmacKey("/secret", Role.VIEWER, ("web-*",))},
        trusted_proxies=("10.0.0.0/8",),
    )
    Memory(f"{tmp_path}/last.json").remember(Wanted(spec=CrewSpec(daemon=own)))

    assert Memory(f"{tmp_path}/last.json").settings() == own


@pytest.mark.parametrize(
    "access", ["null", "{}", '{"tls": null}', '{"tls": {"certificate": "/c"}}', '{"groups": {"ops": "king"}}', "[]"]
)
def test_what_is_remembered_in_part_opens_nothing(access: str, tmp_path: Path) -> None:
    """Who may come in is known as a whole or not at all; also where an older crewd remembered nothing of it."""
    head = '{"listen": "0.0.0.0:3000", "database": "sqlite"'
    (tmp_path / "last.json").write_text(f'{head}, "access": {access}}}')
    (tmp_path / "old.json").write_text(f"{head}}}")

    assert Memory(f"{tmp_path}/last.json").settings() is None
    assert Memory(f"{tmp_path}/old.json").settings() is None


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b'{"on_shutdown": "explode"}', b"\xff"])
def test_what_cannot_be_read_is_nothing(content: bytes | None, tmp_path: Path) -> None:
    """The daemon goes on with its defaults."""
    path = tmp_path / "last.json"
    if content is not None:
        path.write_bytes(content)

    assert Memory(str(path)).recall() is None


def test_a_memory_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """And nobody else may read it."""
    path = tmp_path / "last.json"
    Memory(str(path)).remember(KEPT)
    (tmp_path / "last.json.new").mkdir()
    Memory(str(path)).remember(Wanted())

    assert Memory(str(path)).recall() == KEPT
    assert path.stat().st_mode & 0o777 == 0o600
