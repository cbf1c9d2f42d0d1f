"""The rules of ``escape`` one by one. What supervisor makes of the results is tested in tests/integration."""

import pytest

from crewd.supervisord import escape
from crewd.supervisord.escape import RefusedError

SPACES = [chr(code) for code in range(0x3100) if chr(code).isspace() and (code == 9 or code >= 32)]


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "x\n[program:evil]\ncommand=/bin/sh", "\ud800"])
def test_what_would_break_the_file_is_refused_everywhere(value):
    """A line break is a new option or a new section, and what is no UTF-8 makes the file unreadable."""
    for write in (
        lambda: escape.plain(value, "directory"),
        lambda: escape.log_file(value, "stdout_logfile"),
        lambda: escape.command([value]),
        lambda: escape.command(["true", value]),
        lambda: escape.environment({"A": value}),
        lambda: escape.check_variable("A", value),
        lambda: escape.passed_through(value, "process_name"),
        lambda: escape.name(value),
    ):
        with pytest.raises(RefusedError):
            write()


@pytest.mark.parametrize("value", ["\x1b[2J", "\x07", "\x7f\x01", "\ufffe", "\uffff"])
def test_what_xml_cannot_carry_is_refused_where_supervisor_would_answer_with_it(value):
    """One such answer would make the status of all workers unreadable; the environment is never answered."""
    with pytest.raises(RefusedError):
        escape.command(["echo", value])
    with pytest.raises(RefusedError):
        escape.plain(value, "directory")
    assert escape.environment({"A": value}) == f'A="{value}"'


def test_a_refusal_never_shows_the_value():
    """The value may be a secret."""
    with pytest.raises(RefusedError) as refused:
        escape.plain("hunter2 ;", "directory")

    assert str(refused.value).startswith("directory: must not")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("sign", ";#")
def test_a_comment_after_any_white_space_is_parted_or_refused(space, sign):
    """Comments begin after white space of any kind, a no-break space too, and inside quotes as well."""
    value = f"a{space}{sign}b"

    assert escape.command([value]) == f"'a{space}''{sign}b'"
    assert escape.needs_table(value)
    with pytest.raises(RefusedError):
        escape.plain(value, "directory")


@pytest.mark.parametrize("value", ["", " a", "a ", "\u00a0a", "a\u3000", ";a", "#a"])
def test_a_plain_value_that_the_parser_would_change_is_refused(value):
    """The parser strips values and cuts comments off."""
    with pytest.raises(RefusedError):
        escape.plain(value, "directory")


@pytest.mark.parametrize("value", ["a\\", '"a', "a'", "\"'", "'", "a\"b'c", "a ;b", "\\n"])
def test_what_the_format_cannot_carry_travels_in_the_table(value):
    """Quotes of both kinds or at an end, comments and backslashes are read differently by some version."""
    assert escape.needs_table(value)
    with pytest.raises(RefusedError):
        escape.environment({"A": value})


@pytest.mark.parametrize("value", ["", "a", "a b", "100%", 'a"b', "a'b", "a,B=c", "x;y", "\u00a0", " a "])
def test_an_ordinary_value_is_written_into_the_configuration(value):
    """The table is for the exceptions."""
    assert not escape.needs_table(value)


def test_percent_signs_are_doubled_as_often_as_they_are_expanded():
    """supervisor expands log files twice and all else once."""
    assert escape.plain("/a%b", "directory") == "/a%%b"
    assert escape.log_file("/a%b", "stdout_logfile") == "/a%%%%b"
    assert escape.command(["%(ENV_PATH)s"]) == "'%%(ENV_PATH)s'"
    assert escape.environment({"A": "%(here)s"}) == 'A="%%(here)s"'


@pytest.mark.parametrize("name", ["", "-a", ".a", "_a", "a b", "a:b", "a/b", "a\u00e9", "a\n", "a" * 201])
def test_a_name_that_is_more_than_a_name_is_refused(name):
    """Names go into section headers, file names and URLs."""
    with pytest.raises(RefusedError):
        escape.name(name)


def test_a_number_that_xml_rpc_cannot_carry_is_refused():
    """supervisord would answer with a fault for all workers."""
    assert escape.number(2**31 - 1, "priority") == "2147483647"
    with pytest.raises(RefusedError):
        escape.number(2**31, "priority")


def test_a_pool_may_name_its_processes_by_number_and_by_nothing_else():
    """supervisor demands the number where there are several; any other placeholder is text."""
    assert escape.passed_through("%(program_name)s_%(process_num)02d", "process_name")
    with pytest.raises(RefusedError):
        escape.passed_through("%(ENV_HOME)s", "process_name")
    assert escape.passed_through("%(ENV_HOME)s", "directory") == "%%(ENV_HOME)s"
