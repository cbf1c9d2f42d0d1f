"""Whatever a file holds, the loader ends soon, with a spec or with ConfigError, and with nothing else."""

import time
from contextlib import suppress

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crewd.config import load
from crewd.config.accounts import Self
from crewd.config.keys import CREWD, SUPERVISORD, WORKER
from crewd.errors import ConfigError
from crewd.model.spec import CrewSpec

ROOT = Self(0, 0)
NAMES = [key.name for section in (CREWD, SUPERVISORD, WORKER) for key in section.keys]
NAMES += [alias.name for alias in WORKER.aliases]

words = st.sampled_from(
    [
        "",
        "x",
        "true",
        "no",
        "null",
        "1",
        "-1",
        "0.5",
        "1s",
        "infinity",
        "/srv",
        "[a]",
        "a | b",
        "{instance}",
        "022",
        "\0",
    ]
)
scalars = words | st.text(max_size=8) | st.integers() | st.floats() | st.booleans() | st.none()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
settings_of_a_worker = st.dictionaries(st.sampled_from(NAMES) | words, values, max_size=6)
configurations = st.fixed_dictionaries(
    {},
    optional={
        "workers": st.dictionaries(
            words | st.sampled_from(["a", "a-0", "b"]), settings_of_a_worker | values, max_size=3
        ),
        "defaults": settings_of_a_worker | values,
        "crewd": settings_of_a_worker | values,
        "supervisord": st.fixed_dictionaries({"eventlisteners": values}) | values,
    },
)
SIGNS = [
    "workers:",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a",
    "*a",
    "!!str",
    "|",
    ">",
    '"',
    "'",
    "#",
    "<<",
    "---",
    "command",
    "1",
    "a",
    ":",
    "-",
    "?",
]
SPACES = [" ", "  ", "\n", "\t", "\r", ": ", "- ", "? ", "---\n"]
ODDITIES = ["\ufeff", "é", "\x85", "\\x00", "\ud7ff"]
pieces = st.sampled_from(SIGNS + SPACES + ODDITIES)
fuzzed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)


def ends_well(path, content: bytes) -> CrewSpec | None:
    """Load it; return the spec, or None where it was refused."""
    path.write_bytes(content)
    begin = time.perf_counter()
    spec = None
    try:
        spec = load(str(path), ROOT).spec
    except ConfigError as refusal:
        assert refusal.problems
        assert all(str(problem).isprintable() for problem in refusal.problems)
    assert time.perf_counter() - begin < 10
    return spec


@fuzzed
@given(content=st.binary(max_size=200))
def test_arbitrary_bytes_are_told_apart(content, folder):
    """No bytes make anything but a spec or a ConfigError whose problems are one printable line each."""
    ends_well(folder / "crewd.yaml", content)


@fuzzed
@given(parts=st.lists(pieces, max_size=40))
def test_arbitrary_yaml_is_told_apart(parts, folder):
    """Nor do the signs of YAML in any order."""
    ends_well(folder / "crewd.yaml", "".join(parts).encode())


@fuzzed
@given(configuration=configurations)
def test_arbitrary_values_are_told_apart(configuration, folder):
    """Nor any value under any key; and what is accepted holds no line break, with which a line could be forged."""
    with suppress(yaml.YAMLError, UnicodeEncodeError):
        content = yaml.safe_dump(configuration, allow_unicode=True).encode()
        spec = ends_well(folder / "crewd.yaml", content)

        for worker in spec.workers.values() if spec else ():
            texts = [worker.worker_id, *worker.command, *worker.environment, *worker.environment.values()]
            texts += [worker.directory or "", worker.stdout.path, worker.stderr.path, worker.name or ""]
            assert not any(sign in text for text in texts for sign in "\0\r\n")


BOMBS = {
    "laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(20)),
    "lists in lists": "[" * 100_000,
    "mappings in mappings": "{" * 100_000,
    "keys of keys": "? " * 100_000,
    "dashes": "- " * 100_000,
    "anchors": "&a " * 100_000,
    "quotes": "'" * 100_000,
    "documents": "---\n" * 100_000,
    "unknown keys": "workers:\n  w:\n" + "".join(f"    restart{n}: x\n" for n in range(5000)),
    "crews by alias": "workers:\n  w: &w {command: x, instances: 10000, stdout_logfile: '/srv/{instance}'}\n"
    + "".join(f"  w{n}: *w\n" for n in range(2000)),
    "a long number": "workers: {w: {command: x, restart_sec: " + "9" * 100_000 + "}}",
    "a long word": "workers: {w: {command: " + "x " * 100_000 + "$}}",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_small_files_cannot_ask_for_much(bomb, folder):
    """A file that would grow, nest or loop is refused within bounds."""
    assert ends_well(folder / "crewd.yaml", bomb.encode()) is None


def test_laughs_are_refused_where_they_grow_too_large(refused):
    """At the alias that goes over the bound, before anything is expanded."""
    assert refused(BOMBS["laughs"]) == [
        "crewd.yaml:6:26: f[6]: the file holds more than 500000 values, aliases expanded"
    ]


def test_hints_end_where_errors_are_many(refused):
    """To guess what was meant costs time, and of a thousand guesses nobody reads the last."""
    problems = refused(BOMBS["unknown keys"])

    assert len(problems) == 5001
    assert 100 < sum("did you mean" in problem for problem in problems) < 110
