"""Waiting for an action, with a bar on a terminal. The bar goes to standard error."""

import sys
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import click

from crewd.ctl.client import Client, Request

NDJSON = {"Accept": "application/x-ndjson"}


def with_bar(client: Client, request: Request, label: str) -> Any:
    """Ask for something and show how far it is; return the API's answer."""
    messages = _messages(client, replace(request, headers=NDJSON))
    last = next(messages)
    if "progress" in last:
        last = _followed(last, messages, label)
    return client.data(last)


def _messages(client: Client, request: Request) -> Generator[dict[str, Any]]:
    """Give the messages, of which only the last is no progress."""
    for line in client.lines(request):
        message = client.parsed(line)
        yield message
        if "progress" not in message:
            return
    raise client.way.cut_off()


def _followed(message: dict[str, Any], rest: Generator[dict[str, Any]], label: str) -> dict[str, Any]:
    """Show the progress; return the last message."""
    length = message["progress"]["of"]
    with click.progressbar(length=length, label=label, show_pos=True, show_eta=False, file=sys.stderr) as bar:
        while "progress" in message:
            bar.update(message["progress"]["done"] - bar.pos)
            message = next(rest)
    return message
