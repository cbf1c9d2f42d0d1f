"""The pages: what each is made of, and what no command says of itself."""

import inspect
from collections.abc import Callable, Iterable, Mapping

import click

from crewd import __version__, apply, cli, config, ctl
from crewd.man.commands import below, called, closing, describe, examples, options, purpose, statuses, synopsis
from crewd.man.configuration import add_reference
from crewd.man.roff import Page, bold, escaped
from crewd.model.home import Home

_VARIABLES = {
    "CREWD_HOME": "The directory below which everything lies, for a crew without root: etc, lib, engine, log and run.",
    "CREWD_LISTEN": "Where the API is served over TCP, instead of listen in the file; empty: no TCP.",
    "CREWD_DATABASE_URL": "The database, instead of database in the file.",
    "CREWD_SUPERVISORD": "own or external, instead of supervisord in the file; the unit of systemd says external.",
    "CREWD_APPLY_SOCKET": "Where crewd-apply is asked, instead of run as a child; the unit of systemd says so.",
    "CREWD_HOST": "The address of a daemon elsewhere, as --host.",
    "CREWD_TOKEN": "The token to show there.",
    "NO_COLOR": "Set to anything: no colours.",
}
_OF_DAEMON = ("CREWD_HOME", "CREWD_LISTEN", "CREWD_DATABASE_URL", "CREWD_SUPERVISORD", "CREWD_APPLY_SOCKET")
_OF_CREWCTL = ("CREWD_HOME", "CREWD_HOST", "CREWD_TOKEN", "NO_COLOR")
_OTHERS = {"crewd": 8, "crewctl": 1, "crewd-apply": 8, "crewd-supervisorctl": 8, "crewd.yaml": 5}
_STATUSES = {
    "0": "It was done, or shown; of status: all of them run; of doctor: there is no problem.",
    "1": "It failed, of one at least; of a command that does something: a name is unknown. Of doctor: there is "
    "a problem.",
    "2": "It was used wrongly.",
    "3": "Of status: one does not run. Of health: one is not healthy.",
    "4": "Of a command that shows: a name is unknown, the daemon cannot be reached or lets nobody in, or the picture "
    "is stale. Of one that does something: you may not do that.",
    "7": "Of a command that does something: the daemon cannot be reached.",
    "78": "Of check: the configuration is wrong.",
    "129": "Of top: it was ended by HUP.",
    "130": "It was ended by Ctrl-C.",
    "141": "Whoever read the output has gone.",
    "143": "Of top: it was ended by TERM.",
}
_OF_THE_DAEMON = {
    "0": "It was done.",
    "1": "It could not be done.",
    "2": "It was used wrongly.",
    "78": "The configuration is wrong: there is a line for each mistake.",
}
_OF_SUPERVISORCTL = {
    "0": "It was done; of status: all of them run.",
    "1": "It failed, of one at least.",
    "2": "It was used wrongly.",
    "3": "Of status: one does not run. Of a verb of the engine: the supervisord there has no engine.",
    "4": "The supervisord does not answer; or a name is unknown, of a verb that shows.",
    "7": "Of every verb but status: there is no supervisord, nor its socket.",
}


def crewd() -> str:
    """Return crewd(8)."""
    page = _of_group("crewd", 8, cli.main, _OF_THE_DAEMON, _OF_DAEMON)
    _files(page)
    _see_also(page, "crewd", "supervisord(1)", "systemd(1)")
    return page.text()


def crewctl() -> str:
    """Return crewctl(1)."""
    page = _of_group("crewctl", 1, ctl.crewctl, _STATUSES, _OF_CREWCTL)
    _files(page, ("config", "socket"))
    _see_also(page, "crewctl")
    return page.text()


def crewd_apply() -> str:
    """Return crewd-apply(8)."""
    context = called("crewd-apply", apply.main)
    page = _begun("crewd-apply", 8, purpose(apply.main), synopsis(context))
    page.heading("DESCRIPTION")
    describe(page, apply.main)
    page.heading("OPTIONS")
    options(page, context)
    _statuses(page, statuses(apply.main) or _OF_THE_DAEMON)
    _environment(page, ("CREWD_HOME",))
    _examples(page, apply.main)
    _files(page, ("config", "generations", "current", "supervisorctl_conf", "engine_socket"))
    _see_also(page, "crewd-apply")
    return page.text()


def crewd_supervisorctl() -> str:
    """Return crewd-supervisorctl(8)."""
    name = "crewd-supervisorctl"
    page = _begun(name, 8, "supervisorctl of crewd's supervisord", f"{bold(name)} [supervisorctl's options] [verb ...]")
    page.heading("DESCRIPTION")
    page.paragraph(
        "The supervisorctl that came with crewd, on crewd's supervisord: it needs no daemon. Each stock verb works, "
        "and there are restarts, why, history and reset_failed: `help` lists them all. Another installation's "
        "supervisorctl cannot load those."
    )
    page.heading("OPTIONS")
    page.item(f"{bold('-c')} file", "Another file than that of the home, below.")
    page.item(bold("-h"), "Tell the others: they are supervisorctl's own.")
    _statuses(page, _OF_SUPERVISORCTL)
    _environment(page, ("CREWD_HOME",))
    page.heading("EXAMPLES")
    page.literal(("crewd-supervisorctl status", "crewd-supervisorctl why web-0", "crewd-supervisorctl tail -f web-0"))
    _files(page, ("supervisorctl_conf", "engine_socket"))
    _see_also(page, name, "supervisord(1)")
    return page.text()


def crewd_yaml() -> str:
    """Return crewd.yaml(5)."""
    page = _begun("crewd.yaml", 5, "the configuration of crewd", bold(Home().config))
    page.heading("DESCRIPTION")
    add_reference(page, config.reference())
    page.heading("EXAMPLES")
    page.paragraph("All keys with what they mean, behind a # with their defaults: `crewd schema --sample`.")
    page.literal(
        (
            "workers:",
            "  ingest:",
            "    command: [python3, -m, ingest, --queue, mail]",
            "    instances: 4",
            "    restart: on-failure",
        )
    )
    _files(page, ("config",))
    _see_also(page, "crewd.yaml")
    return page.text()


PAGES: Mapping[str, Callable[[], str]] = {
    "crewd.8": crewd,
    "crewctl.1": crewctl,
    "crewd-apply.8": crewd_apply,
    "crewd-supervisorctl.8": crewd_supervisorctl,
    "crewd.yaml.5": crewd_yaml,
}
"""Each file, and what makes it."""


def _begun(name: str, section: int, what: str, how: str) -> Page:
    page = Page(name, section, f"crewd {__version__}", "crewd")
    page.heading("NAME")
    page.line(f"{escaped(name)} \\- {escaped(what)}")
    page.heading("SYNOPSIS")
    page.line(how)
    return page


def _of_group(
    name: str, section: int, command: click.Command, meanings: Mapping[str, str], variables: Iterable[str]
) -> Page:
    context = called(name, command)
    page = _begun(name, section, purpose(command), synopsis(context))
    page.heading("DESCRIPTION")
    describe(page, command)
    page.heading("OPTIONS")
    options(page, context)
    page.heading("COMMANDS")
    for one in below(context):
        page.below(synopsis(one))
        describe(page, one.command)
        options(page, one)
        closing(page, one.command)
    _statuses(page, meanings)
    _environment(page, variables)
    _examples(page, command)
    return page


def _statuses(page: Page, meanings: Mapping[str, str]) -> None:
    page.heading("EXIT STATUS")
    for status, meaning in meanings.items():
        page.item(bold(status), meaning)


def _examples(page: Page, command: click.Command) -> None:
    if lines := examples(command):
        page.heading("EXAMPLES")
        page.literal(lines)


def _environment(page: Page, names: Iterable[str]) -> None:
    page.heading("ENVIRONMENT")
    for name in names:
        page.item(bold(name), _VARIABLES[name])


def _files(page: Page, only: Iterable[str] = ()) -> None:
    """Add where things lie, as the home of the system has them: its docstrings say what they are."""
    page.heading("FILES")
    home, chosen = Home(), tuple(only)
    found = inspect.getmembers(Home, lambda one: isinstance(one, property))
    told = {getattr(home, name): inspect.getdoc(member) or "" for name, member in found if not chosen or name in chosen}
    for path, meaning in sorted(told.items()):
        page.item(bold(path), meaning.replace("``", "`"))
    if not chosen:
        page.paragraph("With CREWD_HOME all of them lie below it.")


def _see_also(page: Page, own: str, *others: str) -> None:
    page.heading("SEE ALSO")
    ours = [f"{name}({section})" for name, section in _OTHERS.items() if name != own]
    named = [f"{bold(name.partition('(')[0])}({name.partition('(')[2]}" for name in (*ours, *others)]
    page.line(", ".join(named))
