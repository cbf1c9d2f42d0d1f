"""environment_file: systemd's reading of KEY=value lines, and stricter about mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewd.errors import ConfigError
from crewd.supervisord.environment import parse


def read(text):
    return parse(text, "/etc/env", "workers.web.environment_file")


def problems(text):
    with pytest.raises(ConfigError) as mistakes:
        read(text)
    return [str(problem) for problem in mistakes.value.problems]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("A=", ""),
        ("  A = b c \t", "b c"),
        ("A=b # no comment", "b # no comment"),
        ("A=b=c", "b=c"),
        ('A="b c "', "b c "),
        ("A='b \\n $x'", "b \\n $x"),
        ('A="a\\"b\\\\c\\$d\\`e\\nf"', 'a"b\\c$d`e\\nf'),
        ("A=\"a\"'b' c", "abc"),
        ('A=a"b"', 'a"b"'),
        ("A=a\\ ", "a "),
        ("A=a\\\\b", "a\\b"),
        ("A=a\\\nb", "ab"),
        ('A="a\\\nb"', "ab"),
        ('A="a\nb"', "a\nb"),
        ("A=b\r", "b"),
        ("A=\u00e4\u00a0", "\u00e4\u00a0"),
    ],
)
def test_a_value_is_read_as_systemd_reads_it(line, value):
    """Values quoted for systemd mean the same here."""
    assert read(line) == {"A": value}
    assert read(f"# comment\n\n;another \\\n{line}\nB=2\n") == {"A": value, "B": "2"}


def test_a_later_line_wins():
    """As in systemd."""
    assert read("A=1\nA=2") == {"A": "2"}


def test_every_mistake_is_reported_with_its_line_and_without_its_content():
    """The operator mends all of them at once; a file of secrets stays unseen."""
    assert problems('A=1\nhunter2\n\n1B=hunter2\nexport C=hunter2\nD="open\nE=hunter2') == [
        "/etc/env:2:1: workers.web.environment_file: must be KEY=value, or begin with '#'",
        "/etc/env:4:1: workers.web.environment_file: a name must be letters, digits and '_', not beginning with a digit",  # noqa: E501 - one message  # noqa: E501
        "/etc/env:5:1: workers.web.environment_file: a name must be letters, digits and '_', not beginning with a digit",  # noqa: E501 - one message  # noqa: E501
        "/etc/env:6:1: workers.web.environment_file: a quote is not closed",
    ]


@given(st.text(alphabet="AB=\"'\\ \t\n#;$", max_size=40))
def test_any_text_is_read_or_refused(text):
    """Nothing but ConfigError comes out of a strange file."""
    try:
        found = read(text)
    except ConfigError as mistakes:
        assert all(1 <= problem.line <= text.count("\n") + 1 for problem in mistakes.problems)
    else:
        assert all(set(key) <= set("AB") for key in found)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_value_in_single_quotes_is_itself(value):
    """Nothing has a meaning there but the quote."""
    literal = "'" + value.replace("'", "'\"'\"'") + "'"

    assert read(f"A={literal}") == {"A": value}
