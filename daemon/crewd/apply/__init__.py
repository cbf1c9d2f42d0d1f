"""crewd-apply: a short-lived process that puts the configuration in force, and alone writes what supervisord trusts.

It loads the configuration itself, admits the workers made over the API that it is given (``admitting``), renders,
verifies with supervisor's own parser, writes a generation, swaps the symlink, and tells the engine. Rules:

1. Nothing is switched before all of it is loaded, rendered and verified.
2. The engine's no undoes the switch. An engine that does not answer leaves it, and that is said: what is in force was
   verified, and supervisord starts from it.
3. What comes on standard input is hostile: it is read with ``--api-workers`` alone, is bounded, and what it says is
   admitted by the rules of the file. What was offered last is kept beside the generations, for an apply by hand.
4. It never runs as anybody but its caller.
5. One JSON object on standard output. Exit 78 with one line per mistake on standard error where the configuration is
   wrong, 1 with one line where anything else is. With ``--serve`` all three go over a socket (``serving``).
"""

import gc
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from crewd.apply import drop_in, serving
from crewd.apply.admitting import Admitted, admit
from crewd.apply.environment_files import check_environment_files
from crewd.config import Loaded, load
from crewd.config.home import home_from
from crewd.errors import ConfigError, CrewdError, Problem, TargetError
from crewd.manual import closing
from crewd.model.generated import GENERATED, untouched
from crewd.model.home import Home
from crewd.model.offer import OFFERS_BYTES, Offer, OfferError, Ruling, decode, encode, rulings_to_json
from crewd.model.spec import CrewSpec
from crewd.policy.plan import Plan, plan
from crewd.reconcile.port import EngineAbsent, EngineFault
from crewd.supervisord import generation
from crewd.supervisord.apply_socket import Answer, Request
from crewd.supervisord.client import Client
from crewd.supervisord.render import Rendering, control_text, fixed_sections, render
from crewd.supervisord.surroundings import Surroundings, Where, gather
from crewd.supervisord.verify import verify

EXIT_CONFIG = 78
ENGINE_DEADLINE_SEC = 30.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an apply did."""

    name: str
    changed: bool
    plan: Plan
    engine: Json | None = None
    """The engine's answer; None where none runs, or none came."""
    unconfirmed: str = ""
    """Why none came from an engine that runs: it may take the configuration over, or have done so."""
    warnings: tuple[str, ...] = ()

    def to_json(self, loading: tuple[Problem, ...] = (), rulings: Mapping[str, Ruling] | None = None) -> Json:
        """Return the object that is printed; ``loading`` has the loader's warnings."""
        return {
            "name": self.name,
            "changed": self.changed,
            "engine": self.engine,
            "unconfirmed": self.unconfirmed,
            "warnings": [*map(str, loading), *self.warnings],
            "plan": {
                "added": list(self.plan.added),
                "removed": list(self.plan.removed),
                "restarted": list(self.plan.restarted),
                "changed": list(self.plan.changed),
                "kept": len(self.plan.kept),
            },
            "api_workers": rulings_to_json(rulings or {}),
        }


def load_here(source: str, home: Home) -> tuple[Loaded, Surroundings]:
    """Load the configuration and look up on this machine what it names; raises ConfigError with all mistakes."""
    found: list[Surroundings] = []

    def look(spec: CrewSpec, where: Where) -> None:
        found.append(gather(spec, home, where))
        check_environment_files(spec, found[0], where)

    return load(source, look=look), found[0]


def check(spec: CrewSpec, surroundings: Surroundings, home: Home, source: str) -> Outcome:
    """Render and verify, and touch nothing; raises CrewdError."""
    rendering = render(spec, home, surroundings, source)
    _verify_elsewhere(spec, surroundings, source)
    old = generation.table_in_force(home)
    return Outcome(rendering.name, rendering.name != generation.current(home), plan(old, rendering.table))


def apply(spec: CrewSpec, surroundings: Surroundings, home: Home, source: str) -> Outcome:
    """Put the crew in force; raises CrewdError. The folders are prepared, and the caller holds the lock."""
    rendering = render(spec, home, surroundings, source)
    verify(rendering, home, source)
    return _switch(rendering, home, drop_in.needed(spec))


def _verify_elsewhere(spec: CrewSpec, surroundings: Surroundings, source: str) -> None:
    """Verify a rendering for folders that exist: supervisor's parser insists on that."""
    with tempfile.TemporaryDirectory(prefix="crewd-check-") as root:
        home = Home.under(root)
        generation.prepare(home)
        verify(render(spec, home, surroundings, source), home, source)


def _switch(rendering: Rendering, home: Home, for_systemd: str) -> Outcome:
    before, old = generation.current(home), generation.table_in_force(home)
    conf_before = generation.conf_in_force(home)
    changed = before != rendering.name
    generation.write(home, rendering.name, rendering.conf_text, rendering.table, for_systemd)
    generation.write_readable(home.supervisorctl_conf, GENERATED + control_text(home))
    if changed:
        generation.switch(home, rendering.name)
    engine, unconfirmed = _tell_or_undo(home, rendering.name, before)
    warnings = (
        *_warnings(conf_before, rendering.conf_text, running=engine is not None),
        *_tidied(home, frozenset({rendering.name, before or rendering.name})),
    )
    return Outcome(rendering.name, changed, plan(old, rendering.table), engine, unconfirmed, warnings)


def _tidied(home: Home, kept: frozenset[str]) -> tuple[str, ...]:
    """Remove old generations; return a warning where that fails, for the new one is in force already."""
    try:
        generation.prune(home, kept)
    except OSError as cause:
        return (f"cannot remove old generations: {cause}; the new one is in force",)
    return ()


def _tell_or_undo(home: Home, name: str, before: str | None) -> tuple[Json | None, str]:
    """Tell the engine; where it refuses, put the former generation in force again. Return its answer, or why not."""
    try:
        return _tell(home, name, changed=name != before), ""
    except TargetError as refused:
        if refused.retryable and not isinstance(refused, EngineFault):
            return None, str(refused)
        if name != before:
            generation.switch(home, before)
        raise TargetError(f"{refused}; the former configuration stays in force") from None


def _tell(home: Home, name: str, *, changed: bool) -> Json | None:
    """Let a running engine take the table over; return its answer, None where none runs."""
    client = Client(home.engine_socket, ENGINE_DEADLINE_SEC)
    try:
        version = None if changed else client.version()
        if version is not None and version.table == name and not version.drift:
            return {"table": name, "added": [], "changed": [], "restarted": [], "removed": [], "listeners": []}
        return client.apply(name)
    except EngineAbsent:
        return None


def _warnings(before: str | None, now: str, *, running: bool) -> tuple[str, ...]:
    """Return what the operator should know about the configuration that was in force before."""
    if before is None:
        return ()
    edited = () if untouched(before) else ("supervisord.conf was edited by hand: the edit is lost",)
    if not running or fixed_sections(before) == fixed_sections(now):
        return edited
    return (*edited, "what changed outside workers and listeners takes effect when supervisord is started next")


@click.command(
    epilog=closing(
        ("crewd-apply", "crewd-apply --check-only -c crew.yaml"),
        {
            0: "It is in force, or with --check-only it could be.",
            1: "It failed, and what was in force is in force.",
            2: "It was used wrongly.",
            EXIT_CONFIG: "The configuration is wrong: there is a line for each mistake.",
        },
    )
)
@click.option("-c", "--config", "config_path", metavar="FILE", help="Apply this file. The default is the home's own.")
@click.option("--check-only", is_flag=True, help="Render and verify it, but write nothing and tell nobody.")
@click.option(
    "--api-workers",
    is_flag=True,
    help="Read the workers made over the API from standard input. Without it those of the last time stay.",
)
@click.option("--serve", is_flag=True, help="Answer the one request on the socket that standard input is. For systemd.")
def main(config_path: str | None, *, check_only: bool, api_workers: bool, serve: bool) -> None:
    """Render the configuration, and put it in force.

    It is verified first by supervisor's own parser, and the engine is told. The daemon calls it. By hand it is
    needed before supervisord is started without the daemon. It prints one object of JSON that says what changed.
    """
    gc.disable()  # a short life
    os.umask(0o077)
    if serve:
        serving.serve(sys.stdin.fileno(), home_from(os.environ), lambda asked, text: _answer(config_path, asked, text))
        return
    offered = sys.stdin.buffer.read(OFFERS_BYTES + 1) if api_workers else None
    answer = _answer(config_path, Request.CHECK if check_only else Request.APPLY, offered)
    click.echo(answer.output, nl=bool(answer.output))
    click.echo(answer.complaint, err=True, nl=bool(answer.complaint))
    sys.exit(answer.code)


def _answer(config_path: str | None, asked: Request, offered: bytes | None) -> Answer:
    """Do it, and return what came of it; ``offered`` None: the workers made over the API stay as they were."""
    try:
        home = home_from(os.environ)
        source = config_path or home.config
        offers = None if offered is None else _decoded(offered)
        found = _checked(source, home, offers) if asked is Request.CHECK else _applied(source, home, offers)
        return Answer(0, json.dumps(found))
    except ConfigError as mistakes:
        return Answer(EXIT_CONFIG, complaint=str(mistakes))
    except (CrewdError, OSError) as cause:
        return Answer(1, complaint=" ".join(str(cause).split("\n")))


def _decoded(text: bytes) -> tuple[Offer, ...]:
    try:
        return decode(text)
    except OfferError as why:
        raise TargetError(f"cannot read the workers made over the API: {why}") from None


def kept_offers(home: Home) -> tuple[Offer, ...]:
    """Return what was offered the last time; nothing where nothing ever was."""
    text = generation.kept_offers(home)
    return () if text is None else _decoded(text)


def _admitted(source: str, home: Home, offers: Sequence[Offer]) -> tuple[Admitted, tuple[Problem, ...]]:
    loaded, surroundings = load_here(source, home)
    return admit(loaded, surroundings, home, offers), loaded.warnings


def _checked(source: str, home: Home, offers: Sequence[Offer] | None) -> Json:
    admitted, warnings = _admitted(source, home, kept_offers(home) if offers is None else offers)
    return check(admitted.spec, admitted.surroundings, home, source).to_json(warnings, admitted.rulings)


def _applied(source: str, home: Home, offers: Sequence[Offer] | None) -> Json:
    """Load inside the lock: who applies last has read the file last."""
    generation.prepare(home)
    with generation.locked(home):
        offered = kept_offers(home) if offers is None else offers
        try:
            admitted, warnings = _admitted(source, home, offered)
            outcome = apply(admitted.spec, admitted.surroundings, home, source)
        finally:
            untold = _tell_systemd(home)
        answer = outcome.to_json(warnings, admitted.rulings)
        answer["warnings"] += (*untold, *_kept_offers(home, offered))
        return answer


def _kept_offers(home: Home, offered: Sequence[Offer]) -> tuple[str, ...]:
    """Keep what was offered; return a warning where that fails, for it is in force already."""
    try:
        generation.keep_offers(home, encode(offered))
    except OSError as cause:
        return (f"cannot keep the workers made over the API for an apply by hand: {cause}; they are in force",)
    return ()


def _tell_systemd(home: Home) -> tuple[str, ...]:
    """Let systemd know what the crew in force needs, where it is the system's own; what fails there undoes nothing.

    Also after an apply that failed: at boot systemd knows nothing yet, and the last good rendering is started.
    """
    text = generation.drop_in(home) if home == Home() else None
    warning = "" if text is None else drop_in.put(text)
    return (warning,) if warning else ()
