"""If it is not in the docs, these tests fail.

What users type, call, read and find lying about is listed from the code itself and looked up in docs/reference: a name
counts as documented where it stands in `code` on the right page, for a part of a thing in that thing's own section.
Besides: no link is dead, each page can be reached, and each example of a configuration loads.
"""

import ast
import dataclasses
import enum
import inspect
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from crewd import apply, cli, config, ctl, doctor
from crewd.ctl import exits
from crewd.doctor.finding import Area, Severity
from crewd.metrics.families import FAMILIES
from crewd.model import facts, journal_line, reasons, record, spec, states, table
from crewd.model.home import Home
from crewd.plugin import RESETS, plugins, reset_type
from crewd.policy.restart import RESTARTS_ON, delay
from crewd_supervisord.ctl import Verbs
from crewd_supervisord.rpc import EngineRPC
from harness.alerting import alert_rules, page_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
RUNBOOKS = DOCS / "runbooks"
PAGES = (*sorted(DOCS.rglob("*.md")), *(ROOT / name for name in ("README.md", "HACKING.md", "CHANGELOG.md")))
SOURCES = tuple(sorted(path for tree in ("daemon", "plugins") for path in (ROOT / tree).rglob("*.py")))
PROGRAMS = (*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "examples").rglob("*.py")))


def relative(path: Path) -> str:
    """Return the path as a test's name shows it."""
    return str(path.relative_to(ROOT))


# The pages, read once


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """Return the page as the parser sees it."""
    return tuple(MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")))


def inline(parsed: Iterable[Token], kind: str) -> Iterator[Token]:
    """Return all inline tokens of a kind."""
    for token in parsed:
        yield from (child for child in token.children or () if child.type == kind)


@cache
def words(page: Path) -> frozenset[str]:
    """Return what stands in `code` on the page."""
    return frozenset(token.content for token in inline(tokens(page), "code_inline"))


@cache
def sections(page: Path) -> dict[str, frozenset[str]]:
    """Return, for each name in `code` in a heading, what stands in `code` below it.

    A name ends before its parameters, ``(word, ...)`` or ``WORD...``; the words in parentheses count as below it.
    """
    found: dict[str, set[str]] = {}
    open_names: list[str] = []
    parsed = tokens(page)
    for before, token in zip((None, *parsed), parsed, strict=False):
        if token.type != "inline":
            continue
        codes = [child.content for child in token.children or () if child.type == "code_inline"]
        if before is not None and before.type == "heading_open":
            open_names = [re.split(r"[(]| [\[A-Z]", code)[0] for code in codes]
            codes = [word for code in codes for word in re.findall(r"\w+", code.partition("(")[2])]
        for name in open_names:
            found.setdefault(name, set()).update(codes)
    return {name: frozenset(codes) for name, codes in found.items()}


def anchors(page: Path) -> set[str]:
    """Return the fragments that a link to the page may have."""
    parsed = tokens(page)
    headings = (after.content for token, after in pairwise(parsed) if token.type == "heading_open")
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Return the page's links into this checkout: the file, and the fragment or an empty string."""
    targets = [str(token.attrGet("href")) for token in inline(tokens(page), "link_open")]
    targets += [str(token.attrGet("src")) for token in inline(tokens(page), "image")]
    for target in targets:
        if not re.match(r"[a-z]+:", target):
            file, _, fragment = target.partition("#")
            yield (page.parent / file).resolve() if file else page, fragment


def fences(page: Path, language: str) -> list[str]:
    """Return the page's code blocks in a language."""
    return [token.content for token in tokens(page) if token.type == "fence" and token.info.strip() == language]


def table_rows(page: Path, corner: str) -> list[list[str]]:
    """Return the cells of the table whose first cell is ``corner``, header first, without the backquotes."""
    tables: list[list[list[str]]] = []
    for before, token in pairwise(tokens(page)):
        if before.type == "table_open":
            tables.append([])
        if before.type == "tr_open":
            tables[-1].append([])
        if before.type in {"th_open", "td_open"}:
            tables[-1][-1].append(token.content.replace("`", ""))
    return next(rows for rows in tables if rows[0][0] == corner)


# The code, asked what there is


def commands() -> dict[str, click.Command]:
    """Return all commands, subcommands by their whole name."""
    return {**dict(_commands("crewd", cli.main)), "crewd-apply": apply.main}


def _commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            if below := command.get_command(context, word):
                yield from _commands(f"{name} {word}", below)


def options(command: click.Command) -> list[str]:
    """Return a command's options, by all of their names."""
    named = [word for param in command.params for word in (*param.opts, *param.secondary_opts)]
    return [word for word in named if word.startswith("-")]


def yaml_keys() -> set[str]:
    """Return every key of ours that the configuration may hold, from its JSON Schema."""
    return set(_properties(config.json_schema()))


def _properties(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for name, below in schema.items():
            if name != "eventlisteners":  # what stands there are supervisord's own options
                yield from _properties(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _properties(below)


def public_methods(cls: type) -> dict[str, list[str]]:
    """Return a class's public methods, and what each takes."""
    return {
        name: [word for word in inspect.signature(method).parameters if word != "self"]
        for name, method in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_")
    }


def fields(cls: type) -> list[str]:
    """Return the names of a dataclass's fields."""
    return [field.name for field in dataclasses.fields(cls)]


def metric_rows() -> list[list[str]]:
    """Return the rows of all tables of the page of metrics."""
    parsed = tokens(REFERENCE / "metrics.md")
    cells = [token.content.replace("`", "") for before, token in pairwise(parsed) if before.type == "td_open"]
    return [cells[first : first + 5] for first in range(0, len(cells), 5)]


def make_targets() -> list[str]:
    """Return the targets that `make` lists."""
    return re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def variables() -> set[str]:
    """Return the environment variables that the code speaks of."""
    return {name for path in SOURCES for name in re.findall(r"\bCREWD_[A-Z]+(?:_[A-Z]+)*\b", path.read_text("utf-8"))}


def paths() -> set[str]:
    """Return where things lie."""
    home = Home()
    properties = [name for name, member in inspect.getmembers(Home) if isinstance(member, property)]
    return {str(getattr(home, name)) for name in (*fields(Home), *properties)}


ENUMS: tuple[type[enum.Enum], ...] = (reasons.Reason, reasons.Verdict, reasons.Cause, record.Standing)
FACTS: tuple[type, ...] = get_args(facts.Fact)


# The tests


def missing(wanted: Iterable[str], there: Iterable[str]) -> list[str]:
    """Return what is wanted and not there."""
    return sorted(set(wanted) - set(there))


@pytest.mark.parametrize("fact", FACTS, ids=journal_line.type_word)
def test_each_fact_of_the_journal_has_a_section_that_lists_its_fields(fact: type) -> None:
    """A reader of the journal needs no source code."""
    documented = sections(REFERENCE / "journal.md")

    assert journal_line.type_word(fact) in documented
    assert not missing(fields(fact), documented[journal_line.type_word(fact)])


@pytest.mark.parametrize("words_of", ENUMS, ids=lambda cls: cls.__name__)
def test_each_word_of_the_closed_sets_is_explained(words_of: type[enum.Enum]) -> None:
    """Reasons travel to the user unchanged, so the user can look them up."""
    assert not missing((str(word.value) for word in words_of), words(REFERENCE / "journal.md"))


def test_each_member_of_a_record_is_documented() -> None:
    """Each segment begins with records: a reader may begin there."""
    wanted = (*fields(record.Record), *fields(record.PastExit))

    assert not missing(wanted, words(REFERENCE / "journal.md"))


def test_each_process_state_and_status_is_explained() -> None:
    """What BACKOFF, FATAL and EXITED mean is written down, and so is the status shown for each."""
    there = words(REFERENCE / "states.md")

    assert not missing((state.name for state in states.ProcessState), there)
    assert not missing((str(status.value) for status in states.Status), there)


def test_the_table_of_restarts_is_the_policy_s() -> None:
    """Which ends are restarted, cell by cell."""
    header, *rows = table_rows(REFERENCE / "restart-policy.md", "the run ended by")
    shown = {mode: {row[0] for row in rows if row[column]} for column, mode in enumerate(header) if column}

    assert shown == {mode: set(map(str, wanted)) for mode, wanted in RESTARTS_ON.items() if mode != "on-watchdog"}


def test_the_delays_shown_are_the_policy_s() -> None:
    """The example of the formula is computed by it."""
    _, *rows = table_rows(REFERENCE / "restart-policy.md", "n")

    assert rows
    assert rows == [[n, f"{delay(spec.RestartPolicy(), int(n), 0.0):.3f}"] for n, _ in rows]


def test_each_field_of_the_policy_table_is_documented() -> None:
    """The table is a promise between two programs."""
    wanted = [
        name for cls in (table.Table, table.Entry, spec.RestartPolicy, spec.ExitStatusSet) for name in fields(cls)
    ]

    assert not missing((*wanted, "version"), words(REFERENCE / "policy-table.md"))


def test_each_key_of_the_configuration_is_documented() -> None:
    """No key is a secret."""
    assert not missing(yaml_keys(), words(REFERENCE / "configuration.md"))


@pytest.mark.parametrize("word", plugins(RESETS))
def test_each_option_of_a_reset_is_documented(word: str) -> None:
    """In the section of its type, and no type is a secret."""
    documented = sections(REFERENCE / "resets.md")

    assert word in documented
    assert not missing(fields(reset_type(word).options_type), documented[word])


@pytest.mark.parametrize(("name", "command"), commands().items())
def test_each_command_has_a_section_that_lists_its_options(name: str, command: click.Command) -> None:
    """What `--help` lists, the page explains."""
    documented = sections(REFERENCE / "cli.md")
    wanted = [opt for param in command.params if not getattr(param, "hidden", False) for opt in param.opts]

    assert name in documented
    assert not missing((word for word in wanted if word.startswith("-")), documented[name])


@pytest.mark.parametrize(("name", "command"), tuple(_commands("crewctl", ctl.crewctl)))
def test_each_command_of_crewctl_has_a_section_that_lists_its_options(name: str, command: click.Command) -> None:
    """By each of their names, also the one that says no."""
    documented = sections(REFERENCE / "crewctl.md")

    assert name in documented
    assert not missing(options(command), documented[name])


SHORT_MOST = 60
"""So wide is what a list of commands on 80 columns says of each."""
ALL_COMMANDS = tuple({**commands(), **dict(_commands("crewctl", ctl.crewctl))}.items())


@pytest.mark.parametrize(("name", "command"), ALL_COMMANDS)
def test_each_command_explains_itself_in_sentences(name: str, command: click.Command) -> None:
    """Itself and each option: the man pages are made of it, and `--help` is all that is at hand at night."""
    options = [param for param in command.params if isinstance(param, click.Option)]
    texts = {name: command.help, **{option.opts[0]: option.help for option in options}}

    assert not command.get_short_help_str(SHORT_MOST).endswith("..."), "the list of the commands cuts it"
    assert not [of for of, text in texts.items() if not re.fullmatch(r"[A-Z].*[.]", (text or "").strip(), re.DOTALL)]


@pytest.mark.parametrize(("name", "command"), [one for one in ALL_COMMANDS if not isinstance(one[1], click.Group)])
def test_each_command_has_examples_that_it_understands(name: str, command: click.Command) -> None:
    """And says what its exit statuses mean."""
    examples = _paragraph(command, "Examples:")
    statuses = [line.split()[0] for line in _paragraph(command, "Exit status:")]

    assert examples
    assert {"0", "2"} <= set(statuses)
    for line in examples:
        typed = re.split(r" (?:<|>|&&)|\)$", line.partition(name)[2])[0]
        command.make_context(name, shlex.split(typed))


def _paragraph(command: click.Command, title: str) -> list[str]:
    """Return the lines below a title in the epilog."""
    paragraphs = [one.split("\n") for one in (command.epilog or "").split("\n\n")]
    return next((lines[2:] for lines in paragraphs if lines[:2] == ["\b", title]), [])


def test_each_finding_of_the_doctor_is_documented() -> None:
    """Scripts go by their names."""
    checks = (ROOT / "daemon/crewd/doctor").glob("*.py")
    named = {name for path in checks for name in re.findall(r'_AREA,\s+"([a-z-]+)"', path.read_text("utf-8"))}

    assert len(named) > len(doctor.CHECKS)
    assert not missing({*named, *Severity, *Area}, sections(REFERENCE / "crewctl.md")["crewctl doctor"])


def test_each_exit_status_of_crewctl_is_documented() -> None:
    """Scripts rely on them."""
    wanted = {str(value) for name, value in vars(exits).items() if name.startswith("EXIT_")}

    assert wanted
    assert not missing(wanted, sections(REFERENCE / "crewctl.md")["$?"])


def test_each_exit_status_is_documented() -> None:
    """Scripts and units rely on them."""
    wanted = {
        str(value) for part in (cli, apply) for name, value in vars(part).items() if name.startswith(("EX_", "EXIT_"))
    }

    assert wanted
    assert not missing(wanted, sections(REFERENCE / "cli.md")["$?"])


def test_each_verb_of_supervisorctl_has_a_section() -> None:
    """Our verbs stand beside the stock ones."""
    verbs = [f"supervisorctl {name[5:]}" for name in public_methods(Verbs) if name.startswith("help_")]

    assert verbs
    assert not missing(verbs, sections(REFERENCE / "cli.md"))


def test_each_method_of_the_engine_has_a_section_that_lists_its_parameters() -> None:
    """Whatever speaks XML-RPC can drive the engine."""
    methods = public_methods(EngineRPC)
    documented = sections(REFERENCE / "engine-rpc.md")

    assert not missing((f"crewd.{name}" for name in methods), documented)
    for name, parameters in methods.items():
        assert not missing(parameters, documented[f"crewd.{name}"]), name


def test_each_variable_is_documented() -> None:
    """What the environment may say, and what a worker finds there."""
    assert not missing(variables(), words(REFERENCE / "files.md"))


def test_each_metric_is_documented_as_it_is_rendered() -> None:
    """Name, type and labels, and no metric that there is not: dashboards and alerts rely on them."""
    found = {row[0]: row[1:3] for row in metric_rows()}

    assert found == {family.name: [family.kind, ", ".join(family.labels)] for family in FAMILIES}


def test_each_path_is_documented() -> None:
    """Where things lie is no riddle."""
    assert not missing(paths(), words(REFERENCE / "files.md"))


def test_each_make_target_is_documented() -> None:
    """`make` is how this project is worked on."""
    assert not missing((f"make {name}" for name in make_targets()), words(REFERENCE / "make.md"))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_no_link_is_dead(page: Path) -> None:
    """A link leads to a file that is there, and to a heading that is there."""
    for target, fragment in links(page):
        assert target.exists(), f"{target} is not there"
        assert not fragment or fragment in anchors(target), f"{target} has no heading #{fragment}"


def test_each_page_can_be_reached() -> None:
    """A page that nothing leads to is a page that nobody reads."""
    start = DOCS / "index.md"
    seen, ahead = {start}, [start]
    while ahead:
        for target, _ in links(ahead.pop()):
            if target.suffix == ".md" and target.is_file() and target not in seen:
                seen.add(target)
                ahead.append(target)

    assert not missing(map(relative, PAGES[: len(list(DOCS.rglob("*.md")))]), map(relative, seen))


EXAMPLES = [
    pytest.param(block, id=f"{relative(page)}:{number}")
    for page in PAGES
    for number, block in enumerate(fences(page, "yaml"))
    if re.search("^workers:", block, re.MULTILINE)
]


@pytest.mark.parametrize("text", [*EXAMPLES, pytest.param((ROOT / "examples/crew.yaml").read_text(), id="examples")])
def test_each_configuration_shown_loads(text: str, tmp_path: Path) -> None:
    """What the docs show can be copied."""
    file = tmp_path / "crewd.yaml"
    file.write_text(text)

    assert config.load(str(file)).spec.workers


@pytest.mark.parametrize("program", PROGRAMS, ids=relative)
def test_each_module_says_what_lives_in_it(program: Path) -> None:
    """A module begins with its docstring."""
    text = program.read_text(encoding="utf-8")

    assert ast.get_docstring(ast.parse(text)), f"{relative(program)} has no module docstring"


# Alerts and their pages


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    """At 3 am nobody searches: the page bears the alert's name, and says what to look at and what to do."""
    pages = {page_of(rule): name for name, rule in alert_rules().items()}
    there = {page.stem: page for page in RUNBOOKS.glob("*.md") if page.stem != "index"}

    assert there.keys() == pages.keys()
    for stem, page in there.items():
        text = page.read_text(encoding="utf-8")
        assert re.findall("^#+ (.*)", text, re.MULTILINE) == [pages[stem], "Look", "Do", "Silence"]
        assert "```console\n$ " in text


def test_each_alert_says_what_is_wrong_and_where_its_page_is() -> None:
    """All annotations are there, and the page lies where the docs are installed, below /usr."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    installed = f"/usr/{build['targets']['wheel']['shared-data']['docs']}"

    for name, rule in alert_rules().items():
        assert rule["labels"].keys() == {"severity"}, name
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"] == f"{installed}/runbooks/{page_of(rule)}.md"


def test_the_tables_of_alerts_are_complete() -> None:
    """By name and severity among the runbooks, by name in the how-to."""
    listed = {row[0]: row[1] for row in table_rows(RUNBOOKS / "index.md", "alert")[1:]}
    named = {row[0] for row in table_rows(DOCS / "how-to" / "alert.md", "alert")[1:]}

    assert listed == {
        f"[{name}]({page_of(rule)}.md)": rule["labels"]["severity"] for name, rule in alert_rules().items()
    }
    assert named == alert_rules().keys()
