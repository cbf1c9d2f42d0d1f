"""What counts as the source of a function, and what does not."""

from itertools import count
from pathlib import Path
from textwrap import dedent

import pytest

from crewd_supervisord.guard import Guard, examine, measure

PLAIN = """
    class Thing:
        def act(self, name="# no comment"):
            if name:
                return 'a # b'
            return None

        def other(self):
            return 1
"""
SAME = {
    "comments": """
        # at the top
        class Thing:
            # before
            def act(self, name="# no comment"):  # behind
                # inside
                if name:
                    return 'a # b'  # 'quoted'
                return None
        # behind it
            def other(self):
                return 1
    """,
    "blank lines": """

        class Thing:

            def act(self, name="# no comment"):

                if name:

                    return 'a # b'
                return None



            def other(self):
                return 1
    """,
    "deeper": """
        if True:
            class Thing:
                def act(self, name="# no comment"):
                    if name:
                        return 'a # b'
                    return None
    """,
    "neighbours": """
        class Thing:
            def before(self): pass
            def act(self, name="# no comment"):
                if name:
                    return 'a # b'
                return None
            def other(self):
                return 2
    """,
}
DIFFERENT = {
    "a statement": PLAIN.replace("if name:", "if not name:"),
    "the last line": PLAIN.replace("return None", "return 0"),
    "the signature": PLAIN.replace("self, name", "self, *, name"),
    "a string after a hash": PLAIN.replace("'a # b'", "'a # c'"),
    "a decorator": PLAIN.replace("        def act", "        @staticmethod\n        def act"),
    "the depth of a line": PLAIN.replace("            return None", "                return None"),
}
WHOLE = '''
class Thing:
    def act(
        self,
        name,
    ):
        """Text
at the margin, with # and def x(): in it

        """
        text = \'\'\'
def not_a_function():
\'\'\'
        found = [
            1,
        ]
        return (name, text,
            found)

    def other(self):
        return 1
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


numbers = count()


def digest(folder: Path, source: str) -> str | None:
    module = f"guarded_{next(numbers)}"
    (folder / f"{module}.py").write_text(dedent(source))
    return measure([f"{module}.Thing.act"])[f"{module}.Thing.act"]


@pytest.mark.parametrize("what", SAME)
def test_what_does_nothing_does_not_count(folder: Path, what: str) -> None:
    """Comments, blank lines, the depth of the class and other functions leave the hash as it is."""
    assert digest(folder, SAME[what]) == digest(folder, PLAIN)


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_does_something_counts(folder: Path, what: str) -> None:
    """Any change of the code changes the hash, in strings too."""
    assert digest(folder, DIFFERENT[what]) not in {None, digest(folder, PLAIN)}


def test_a_function_is_read_to_its_end(folder: Path) -> None:
    """Strings at the margin and closing brackets end nothing: the last line counts, the next function does not."""
    whole = digest(folder, WHOLE)

    assert digest(folder, WHOLE.replace("found)", "found, 1)")) != whole
    assert digest(folder, WHOLE.replace("return 1", "return 2")) == whole


def test_a_replaced_function_is_measured_as_it_is_now(folder: Path) -> None:
    """What another plugin puts in a class's place has another source, whatever it calls itself."""
    plain = digest(folder, PLAIN)
    replaced = digest(
        folder, PLAIN + "\n    stock = Thing.act\n    def act(self): return stock(self)\n    Thing.act = act\n"
    )

    assert replaced not in {None, plain}


def test_what_has_no_source_has_no_hash() -> None:
    """Missing modules, missing functions and functions written in C are None, and nothing is raised."""
    names = ["nowhere.Thing.act", "json.decoder.nothing", "os.fork", "math.pi", "json", ""]

    assert measure(names) == dict.fromkeys(names)


def test_the_reason_names_the_first_function_and_counts_the_others() -> None:
    """One sentence for the log, empty where the part fits."""
    one, two = {"a.b": "differs from every known version"}, {"c.d": "has no source to compare"}

    assert Guard("loop").reason == ""
    assert Guard("loop", one).reason == "a.b differs from every known version"
    assert Guard("loop", one | two).reason == "a.b differs from every known version, and 1 more"


def test_a_part_that_does_not_exist_does_not_fit() -> None:
    """A slip in a name keeps a part off; it does not keep supervisord from starting."""
    assert examine("levitation").reason == "levitation is no part that parts.py knows"
