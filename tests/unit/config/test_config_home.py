"""Which installation is meant is said by one variable, and refused where no socket could be made in it."""

import os

import pytest

from crewd.config.home import home_from
from crewd.errors import ConfigError
from crewd.model.home import Home


def test_without_the_variable_it_is_the_system_s():
    """An empty one counts as none."""
    assert home_from({}) == home_from({"CREWD_HOME": ""}) == Home()


def test_the_variable_moves_all_of_it():
    """One directory holds everything."""
    assert home_from({"CREWD_HOME": "/srv/crew/"}) == Home.under("/srv/crew")


def test_a_relative_one_begins_at_the_working_directory():
    """supervisord runs elsewhere, so its paths are absolute."""
    assert home_from({"CREWD_HOME": ".crewd"}) == Home.under(os.path.abspath(".crewd"))


def test_a_directory_too_deep_for_a_socket_is_refused():
    """supervisord makes its socket under a longer name first, and that must fit too; bytes are counted, not letters."""
    fits = "/" + "a" * (107 - len("/run/supervisor.sock.4194304") - 1)

    assert home_from({"CREWD_HOME": fits}).etc == f"{fits}/etc"
    with pytest.raises(ConfigError) as caught:
        home_from({"CREWD_HOME": f"{fits[:-1]}é"})
    assert str(caught.value) == (
        f"environment:0:0: CREWD_HOME: is 1 bytes too long: the path of the socket {fits[:-1]}é/run/supervisor.sock, "
        "with a process number after it, must not exceed 107 bytes; choose a shorter directory"
    )


@pytest.mark.parametrize("root", ["/srv/a\nb", "/srv/a ;b", "/srv/a #b", "/srv/a ", " /srv", "/srv/\x7f"])
def test_a_path_that_supervisord_would_cut_is_refused(root):
    """Its configuration has no way to write such a path."""
    with pytest.raises(ConfigError, match="CREWD_HOME: holds a control character, or white space"):
        home_from({"CREWD_HOME": root})


def test_the_root_directory_is_no_home():
    """Its etc and run are not crewd's."""
    with pytest.raises(ConfigError, match="CREWD_HOME: must not be the root directory"):
        home_from({"CREWD_HOME": "//"})
