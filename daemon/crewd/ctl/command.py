"""The two kinds of commands, and the options that several have.

A failure becomes a sentence on standard error and an exit status here, and nowhere else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from crewd.ctl import exits
from crewd.ctl.failures import Fault, RequestError
from crewd.ctl.session import Session
from crewd.manual import closing
from crewd.wording import plain

F = TypeVar("F", bound=Callable[..., Any])


class Showing(click.Command):
    """A command that shows."""

    shows = True

    def __init__(
        self,
        *arguments: Any,
        examples: Sequence[str] = (),
        statuses: Mapping[int, str] | None = None,
        **attributes: Any,
    ) -> None:
        """``statuses``: what the exit statuses mean where that is not what they mean of its kind; "": there is none."""
        super().__init__(*arguments, **attributes)
        meant = {**(exits.SHOWN if self.shows else exits.DONE), **(statuses or {})}
        self.epilog = closing(examples, {code: words for code, words in meant.items() if words})

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except RequestError as failure:
            complain("\n".join(_problems(failure)))
            click.echo(plain(failure) + _suggestion(failure, ctx), err=True)
            ctx.exit(exits.of_failure(failure, shows=self.shows))
        except KeyboardInterrupt:
            ctx.exit(exits.EXIT_INTERRUPTED)
        except BrokenPipeError:  # of the output, for the client's own are failures; click would end with 1
            ctx.exit(exits.EXIT_HUNG_UP)


class Doing(Showing):
    """A command that does something."""

    shows = False


def _problems(failure: RequestError) -> list[str]:
    """Return a line for each problem of a field, where there is more than the one that the message has."""
    problems: list[Any] = list(failure.details.get("problems") or ())
    fields: list[dict[str, Any]] = [one for one in problems if isinstance(one, dict)]
    lines = [f"{plain(one.get('field'))}: {plain(one.get('message'))}" for one in fields]
    return lines if len(lines) > 1 else []


def _suggestion(failure: RequestError, ctx: click.Context) -> str:
    """Return the names that may have been meant, where one is unknown."""
    session, names = ctx.obj, failure.details.get("names")
    if failure.fault is not Fault.UNKNOWN or not names or not isinstance(session, Session):
        return ""
    from crewd.ctl.suggestions import suggestion  # noqa: PLC0415 - for mistakes alone

    return suggestion(session.client, names)


def complain(words: str) -> None:
    """Say something on standard error, beside what was asked for; "" is nothing."""
    if words:
        click.echo(words, err=True)


def output_option(function: F) -> F:
    """Add ``-o json``."""
    kinds = click.Choice(["text", "json"])
    return click.option(
        "-o",
        "--output",
        type=kinds,
        default="text",
        show_default=True,
        help="Print text for people, or json for programs.",
    )(function)


def yes_option(function: F) -> F:
    """Add ``--yes``."""
    return click.option(
        "-y",
        "--yes",
        is_flag=True,
        help="Do not ask before it is done to everything; needed where there is no terminal.",
    )(function)


def force_option(function: F) -> F:
    """Add ``--force``."""
    words = "Send SIGKILL right behind the stop signal, without waiting for timeout_stop_sec."
    return click.option("--force", is_flag=True, help=words)(function)
