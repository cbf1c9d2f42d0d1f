"""Members of a configuration on crewctl's command line."""

import click
import pytest

from crewd.ctl.documents import assigned


def test_members_are_json_where_they_can_be() -> None:
    """Else text; behind the first equals sign everything is the value."""
    assert assigned(("port=80", "name=80 a", 'environment={"A": "b=c"}')) == {
        "port": 80,
        "name": "80 a",
        "environment": {"A": "b=c"},
    }


@pytest.mark.parametrize("word", ["s3cr3t", "=s3cr3t"])
def test_a_word_that_is_no_member_is_not_repeated(word: str) -> None:
    """It may be the rest of a variable's value that a shell split."""
    with pytest.raises(click.UsageError, match=r"number 2 of them is none") as refused:
        assigned(("port=80", word))

    assert "s3cr3t" not in refused.value.message
