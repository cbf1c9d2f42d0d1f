"""What the environment says to the daemon goes before what the file says."""

import pytest

from crewd.app.settings import Surrounded, settings_from, surrounded_by
from crewd.errors import ConfigError, TargetError
from crewd.model.access import Tls
from crewd.model.spec import DaemonSpec, SupervisordOwner

FILE = DaemonSpec(listen="127.0.0.1:3001", database="postgresql://a@b/c")


def test_the_environment_goes_before_the_file() -> None:
    """And is taken away: no child gets to see the URL."""
    environ = {"CREWD_LISTEN": "[::1]:4000", "CREWD_DATABASE_URL": "postgresql://me:secret@h/d", "PATH": "/bin"}
    found = settings_from(FILE, environ)

    assert (found.listen, found.database) == ("[::1]:4000", "postgresql://me:secret@h/d")
    assert environ == {"PATH": "/bin"}


def test_without_it_the_file_holds() -> None:
    """Also where the URL is empty."""
    assert settings_from(FILE, {}) == FILE
    assert settings_from(FILE, {"CREWD_DATABASE_URL": ""}) == FILE


def test_an_empty_address_means_no_tcp() -> None:
    """As the word none does."""
    assert settings_from(FILE, {"CREWD_LISTEN": ""}).listen == ""
    assert settings_from(FILE, {"CREWD_LISTEN": "none"}).listen == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [("CREWD_LISTEN", "0.0.0.0"), ("CREWD_LISTEN", "x"), ("CREWD_DATABASE_URL", "mysql://me:secret@h/d")],
)
def test_a_wrong_variable_is_named_and_not_repeated(name: str, text: str) -> None:
    """It may hold a password."""
    with pytest.raises(TargetError) as refused:
        settings_from(FILE, {name: text})

    assert name in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_variable_opens_nothing_that_the_file_has_no_tls_for() -> None:
    """As the file itself cannot: it is a mistake of the configuration, told as one."""
    with pytest.raises(ConfigError) as refused:
        settings_from(FILE, {"CREWD_LISTEN": "0.0.0.0:3000"})
    secured = settings_from(DaemonSpec(tls=Tls("/c", "/k")), {"CREWD_LISTEN": "0.0.0.0:3000"})

    assert [(one.path, one.message[:37]) for one in refused.value.problems] == [
        ("CREWD_LISTEN", "0.0.0.0:3000 can be reached from else")
    ]
    assert secured.listen == "0.0.0.0:3000"


def test_who_starts_the_daemon_says_what_is_around_it() -> None:
    """And no child learns of it; without a word nothing is said."""
    environ = {"CREWD_SUPERVISORD": "external", "CREWD_APPLY_SOCKET": "/run/a.sock", "PATH": "/bin"}
    around = surrounded_by(environ)

    assert (around.owner, around.apply_socket) == (SupervisordOwner.EXTERNAL, "/run/a.sock")
    assert environ == {"PATH": "/bin"}
    assert surrounded_by({}) == Surrounded()
    with pytest.raises(TargetError, match="cannot use CREWD_SUPERVISORD: must be own or external, not 'mine'"):
        surrounded_by({"CREWD_SUPERVISORD": "mine"})
