"""`crewctl token` and `crewctl audit`, against a server with canned answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.canned_api import Api, Asked, Reply, data, no
from harness.crewctl import Terminal, crewctl

AT = "2026-01-31T09:00:00.000Z"
TOKEN = "crw_7f3a9c01b2d4_" + 40 * "x"


def token(**given: Any) -> dict[str, Any]:
    """Return what the API tells of a token."""
    return {
        "id": "7f3a9c01b2d4",
        "role": "operator",
        "name": "deploy",
        "workers": [],
        "created_at": AT,
        "created_by": "uid 0 pid 42",
        "expires_at": None,
        "revoked_at": None,
        "valid": True,
        **given,
    }


def entry(**given: Any) -> dict[str, Any]:
    """Return an entry of the audit."""
    return {
        "id": 1,
        "at": AT,
        "principal": "token 7f3a",
        "how": "token",
        "claimed": None,
        "source": "unix",
        "what": "POST /api/v1/reload",
        "granted": True,
        "status": 200,
        "result": "ok",
        "details": {},
        **given,
    }


def page(*entries: dict[str, Any], **given: Any) -> Reply:
    """Return a page of the audit."""
    return data({"entries": list(entries), "next_cursor": None, "waiting": 0, "lost": 0, **given})


def created(**given: Any) -> Reply:
    """Return what is answered to who makes a token."""
    return Reply(data({**token(**given), "token": TOKEN}).body, 201)


def test_a_new_token_is_all_of_the_output(api: Api, root: Path) -> None:
    """So that it goes into a variable; the hint is beside it."""
    api.serve("POST /tokens", created())
    ran = crewctl(
        root,
        "token",
        "create",
        "--role",
        "operator",
        "--name",
        "x",
        "--workers",
        "w*",
        "--workers",
        "m",
        "--expires",
        "1d",
    )

    assert (ran.returncode, ran.stdout) == (0, f"{TOKEN}\n")
    assert "only time" in ran.stderr
    assert "token revoke 7f3a9c01b2d4" in ran.stderr
    assert api.last().body == {"role": "operator", "name": "x", "workers": ["w*", "m"], "expires_in": "1d"}


def test_a_new_token_for_ever_and_all(api: Api, root: Path) -> None:
    """Nothing is said of what was not given; as JSON it is the API's answer."""
    api.serve("POST /tokens", created())
    ran = crewctl(root, "token", "create", "--role", "admin", "--name", "x", "-o", "json")

    assert json.loads(ran.stdout) == {**token(), "token": TOKEN}
    assert ran.stderr == ""
    assert api.last().body == {"role": "admin", "name": "x", "workers": []}


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--role", "root", "--name", "x"),
        ("--role", "admin"),
        ("--role", "admin", "--name", "x", "--workers", "w*"),
    ],
)
def test_a_token_needs_a_role_and_a_name(api: Api, root: Path, options: tuple[str, ...]) -> None:
    """Nor is an admin one for some workers. Nobody is asked otherwise."""
    assert crewctl(root, "token", "create", *options).returncode == 2
    assert api.asked == []


def test_what_the_daemon_refuses_is_said(api: Api, root: Path) -> None:
    """With the exit status of the reason."""
    api.serve("POST /tokens", no(422, "VALID_001", "cannot read expires_in: soon"))
    wrong = crewctl(root, "token", "create", "--role", "admin", "--name", "x", "--expires", "soon")
    api.serve("GET /tokens", no(403, "AUTH_002", "cannot let user 1 in"))
    denied = crewctl(root, "token", "list")

    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (2, "", "cannot read expires_in: soon\n")
    assert (denied.returncode, denied.stderr) == (4, "cannot let user 1 in\n")


def test_the_valid_ones_are_listed_through_all_pages(api: Api, root: Path) -> None:
    """The others with --all, and how they ended."""
    pages = {
        None: {"tokens": [token(), token(id="b", valid=False)], "next_cursor": "b"},
        "b": {
            "tokens": [token(id="c", name="a\x1b[2Jb", valid=False, revoked_at=AT, expires_at=AT)],
            "next_cursor": None,
        },
    }
    api.serve("GET /tokens", lambda asked: data(pages[dict(asked.query).get("cursor")]))
    valid, whole = crewctl(root, "token", "list"), crewctl(root, "token", "list", "--all")
    everything = json.loads(crewctl(root, "token", "list", "--all", "-o", "json").stdout)

    assert [line.split()[0] for line in valid.stdout.splitlines()] == ["ID", "7f3a9c01b2d4"]
    assert [line.split("  ")[-1] for line in whole.stdout.splitlines()[1:]] == [
        "valid",
        "expired",
        "revoked 2026-01-31 09:00:00",
    ]
    assert "\x1b" not in whole.stdout
    assert [one["id"] for one in everything] == ["7f3a9c01b2d4", "b", "c"]


def test_no_token_is_said_aside(api: Api, root: Path) -> None:
    """Nothing on standard output."""
    api.serve("GET /tokens", data({"tokens": [], "next_cursor": None}))
    ran = crewctl(root, "token", "list")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "there is no token\n")


def test_tokens_are_revoked_one_by_one(api: Api, root: Path) -> None:
    """What was revoked before an error is told."""
    api.serve("DELETE /tokens/a", data(token(id="a", changed=True, stored=True)))
    api.serve("DELETE /tokens/b%2Fc", data(token(id="b/c", changed=False, stored=True)))
    api.serve("DELETE /tokens/d", no(404, "TOKEN_001", "cannot revoke d: there is no such token"))
    done = crewctl(root, "token", "revoke", "a", "b/c")
    failed = crewctl(root, "token", "revoke", "a", "d", "b/c")
    answers = json.loads(crewctl(root, "token", "revoke", "a", "-o", "json").stdout)

    assert done.stdout.splitlines() == ["a  revoked (deploy)", "b/c  was worth nothing already (deploy)"]
    assert (failed.returncode, failed.stdout) == (1, "a  revoked (deploy)\n")
    assert failed.stderr == "cannot revoke d: there is no such token\n"
    assert [one["changed"] for one in answers] == [True]


def test_a_revocation_that_is_not_stored_is_said(api: Api, root: Path) -> None:
    """It holds for the daemon that runs; what else there is to know stands aside."""
    reply = data(token(id="a", changed=True, stored=False))
    api.serve("DELETE /tokens/a", Reply(reply.body, 202))
    ran = crewctl(root, "token", "revoke", "a")

    assert (ran.returncode, ran.stdout) == (0, "a  revoked (deploy)\n")
    assert ran.stderr.startswith("a lets nobody in now, but the database is away: ")


def test_many_names_are_cut_in_the_table(api: Api, root: Path) -> None:
    """JSON has all of them."""
    names = [f"w{number}" for number in range(1000)]
    api.serve("GET /audit", page(entry(details={"names": names, "count": 1000})))
    shown, told = crewctl(root, "audit"), crewctl(root, "audit", "-o", "json")

    assert "names=w0,w1,w2," in shown.stdout
    assert ",w19,… count=1000" in shown.stdout
    assert "w20" not in shown.stdout
    assert "w999" in told.stdout


def test_the_audit_is_a_table(api: Api, root: Path) -> None:
    """Who, by what, from where, for what; a claim is told as one; nothing in it can be a command to a terminal."""
    refused = entry(granted=False, status=403, result="AUTH_002", principal="uid 7\x1b[2J", claimed="alice", how="peer")
    api.serve("GET /audit", page(entry(details={"names": ["web", "m"], "count": 2}), refused))
    ran = crewctl(root, "audit")

    head, first, second = ran.stdout.splitlines()
    assert head.split() == ["AT", "WHO", "HOW", "FROM", "WHAT", "RESULT"]
    assert first.split("  ")[0] == "2026-01-31 09:00:00"
    assert "POST /api/v1/reload names=web,m count=2" in first
    assert "uid 7[2J (says: alice)" in second
    assert second.endswith("refused: AUTH_002")
    assert "\x1b" not in ran.stdout
    assert api.last().query == (("limit", "20"),)


def test_the_audit_is_asked_for_what_is_wanted(api: Api, root: Path) -> None:
    """By each option; with --since all of it, page by page."""
    first = page(entry(id=3), next_cursor="3", waiting=4, lost=2)

    def answer(asked: Asked) -> Reply:
        return page(entry(id=2)) if "cursor" in dict(asked.query) else first

    api.serve("GET /audit", answer)
    options = ("--since", "1h", "--until", "5m", "--principal", "uid 0", "--what", "/stop", "--refused", "-o", "json")
    ran = crewctl(root, "audit", *options)

    assert [json.loads(line)["id"] for line in ran.stdout.splitlines()] == [2, 3]
    assert ran.stderr == "4 entries wait for the database; 2 entries are in the daemon's log alone\n"
    asked = {"since": "1h", "until": "5m", "principal": "uid 0", "what": "/stop", "granted": "false", "limit": "1000"}
    assert dict(api.asked[0].query) == asked
    assert dict(api.asked[1].query) == {**asked, "cursor": "3"}


def test_so_many_entries_are_shown_as_are_asked_for(api: Api, root: Path) -> None:
    """And no page more."""
    api.serve("GET /audit", page(entry(), next_cursor="1"))
    ran = crewctl(root, "audit", "-n", "2", "--granted")

    assert len(ran.stdout.splitlines()) == 3
    assert [dict(asked.query)["limit"] for asked in api.asked] == ["2", "1"]
    assert dict(api.last().query)["granted"] == "true"


def test_an_empty_audit_is_said_aside(api: Api, root: Path) -> None:
    """Nothing on standard output."""
    api.serve("GET /audit", page())
    ran = crewctl(root, "audit", "--what", "x")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "there is no such entry\n")


def test_no_line_is_wider_than_the_terminal(api: Api, root: Path) -> None:
    """What was refused is red there."""
    api.serve("GET /audit", page(entry(what="POST /" + "x" * 200), entry(granted=False, result="AUTH_002")))
    with Terminal(root, "audit", width=60) as terminal:
        assert terminal.ends() == 0
        lines = terminal.text().splitlines()

    assert len(lines) == 3
    assert max(map(len, lines)) <= 60
    assert "\x1b[31m" in terminal.raw()
