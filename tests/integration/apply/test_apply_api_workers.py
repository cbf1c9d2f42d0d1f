"""A daemon that is somebody else's by now feeds crewd-apply: nothing is rendered that root's file does not admit."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from crewd.model.home import Home
from crewd.supervisord import surroundings
from crewd.supervisord.surroundings import SETPRIV

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's supervisord runs workers as another user")
NOBODY = "nobody"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home, its directories root's alone on the whole way, as an installation's are."""
    home = Home.under(str(tmp_path / "crew"))
    Path(home.etc).mkdir(parents=True)
    write(home, api_workers={"users": [NOBODY]})
    return home


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root of paths that nobody else may write to."""
    folder = tmp_path / "root"
    folder.mkdir()
    for parent in (folder, *folder.parents):
        if parent.stat().st_mode & 0o022 and not parent.stat().st_mode & 0o1000:
            pytest.fail(f"{parent} is writable for others")
    return folder


def write(home: Home, **sections: Any) -> None:
    """Write the file: one worker, and what is said of those made over the API."""
    api_workers = sections.pop("api_workers", {})
    crew = {"crewd": {"api_workers": api_workers}, "workers": {"web": {"command": ["/bin/true"]}}, **sections}
    Path(home.config).write_text(yaml.safe_dump(crew))


def run(home: Home, given: bytes | None, *options: str, expected: int = 0) -> Any:
    """Run crewd-apply on this standard input; return its answer, or its lines on standard error."""
    taking = () if given is None else ("--api-workers",)
    ended = subprocess.run(
        [sys.executable, "-m", "crewd.apply", *taking, *options],
        env={"PATH": os.environ["PATH"], "CREWD_HOME": home.etc.removesuffix("/etc")},
        input=given or b"",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == expected, ended.stderr
    return json.loads(ended.stdout) if expected == 0 else ended.stderr.decode().splitlines()


def offered(documents: Mapping[str, Any]) -> bytes:
    """Return what a daemon writes; a document that is a text is written as it is."""
    workers = [
        {"worker_id": name, "document": one if isinstance(one, str) else json.dumps(one)}
        for name, one in documents.items()
    ]
    return json.dumps({"version": 1, "workers": workers}).encode()


def rulings(answer: Any) -> dict[str, str]:
    """Return what became of each, in one word."""
    return {name: one["fate"] for name, one in answer["api_workers"].items()}


def complaints(answer: Any, name: str) -> list[str]:
    """Return what was complained of."""
    return [f"{one['field']}: {one['message']}" for one in answer["api_workers"][name]["problems"]]


def commands(home: Home) -> dict[str, str]:
    """Return every program's command as it is rendered."""
    sections = Path(home.supervisord_conf).read_text().split("\n[program:")[1:]
    return {one.partition("]")[0]: one.partition("\ncommand=")[2].partition("\n")[0] for one in sections}


SLEEP = {"command": ["/bin/sleep", "1"]}
REFUSED: dict[str, Any] = {
    # somebody else
    "as-root": {**SLEEP, "user": "root"},
    "as-root-by-number": {**SLEEP, "user": "0"},
    "as-nobody-by-null": {**SLEEP, "user": None},
    "as-daemon": {**SLEEP, "user": "daemon"},
    "as-stranger": {**SLEEP, "user": "there-is-nobody"},
    "in-shadow": {**SLEEP, "group": "shadow"},
    "in-root": {**SLEEP, "group": "root"},
    # more than a command
    "a-shell": {"command": "/bin/sleep 1; reboot"},
    "a-line": {"command": ["/bin/sleep", "1\n[program:evil]\ncommand=/bin/evil"]},
    "a-return": {"command": ["/bin/sleep", "1\rcommand=/bin/evil"]},
    "a-nul": {"command": ["/bin/sleep\0", "1"]},
    "a-relative": {"command": ["../../bin/evil"]},
    "a-variable-line": {**SLEEP, "environment": {"A": "b\nuser=root"}},
    "a-variable-name": {**SLEEP, "environment": {'A="b",C': "d"}},
    "a-surrogate": '{"command":["/bin/sleep","1"],"environment":{"A":"\\ud800"}}',
    # what runs as root with the worker's environment
    "a-preload": {**SLEEP, "environment": {"LD_PRELOAD": "/tmp/evil.so"}},
    "an-audit": {**SLEEP, "environment": {"LD_AUDIT": "/tmp/evil.so"}},
    "a-path-of-libraries": {**SLEEP, "environment": {"LD_LIBRARY_PATH": "/tmp"}},
    "a-tunable": {**SLEEP, "environment": {"GLIBC_TUNABLES": "x"}},
    "a-converter": {**SLEEP, "environment": {"GCONV_PATH": "/tmp"}},
    # what looks its groups up
    "a-source-of-names": {**SLEEP, "environment": {"NSS_SSS_X": "x"}},
    "a-directory-of-names": {**SLEEP, "environment": {"LDAPTLS_CACERT": "/tmp/evil.pem"}},
    "a-file-for-it": {**SLEEP, "environment": {"LDAPRC": "/tmp/evil"}},
    "a-ticket": {**SLEEP, "environment": {"KRB5_CONFIG": "/tmp/evil"}},
    "a-sasl-plugin": {**SLEEP, "environment": {"SASL_CONF_PATH": "/tmp"}},
    "an-engine": {**SLEEP, "environment": {"OPENSSL_CONF": "/tmp/evil.cnf"}},
    "an-alias": {**SLEEP, "environment": {"HOSTALIASES": "/tmp/evil"}},
    "a-resolver": {**SLEEP, "environment": {"RES_OPTIONS": "debug"}},
    "a-nis-path": {**SLEEP, "environment": {"NIS_PATH": "/tmp"}},
    # what is the file's alone
    "a-listener": {**SLEEP, "eventlisteners": {"x": {"command": "/bin/evil", "events": "TICK_5"}}},
    "a-default": {**SLEEP, "local": {"command": ["/bin/evil"]}},
    "a-reset": {**SLEEP, "reset": {"actions": [{"type": "command", "command": "/bin/evil"}]}},
    "another-place": {**SLEEP, "deployment_type": "ssh"},
    # paths, where there is no root
    "a-directory": {**SLEEP, "directory": "/root"},
    "a-log": {**SLEEP, "stdout_logfile": "/etc/cron.d/evil"},
    "a-file": {**SLEEP, "environment_file": "/etc/shadow"},
    "a-file-that-may-be-missing": {**SLEEP, "environment_file": "-/etc/shadow"},
    # what is no document
    "a-list": [],
    "a-text": '"x"',
    "no-json": "{",
    "twice": '{"command":["/bin/sleep"],"command":["/bin/evil"]}',
    "deep": '{"labels":' + "[" * 100_000 + "}",
    "huge": '{"name":"' + "x" * 1_100_000 + '"}',
    "many": {**SLEEP, "instances": 1_000_000},
    # what is no name
    "../evil": SLEEP,
    "a]\n[program:evil": SLEEP,
    "all": SLEEP,
    "": SLEEP,
    "%(here)s": SLEEP,
}


@as_root
def test_nothing_unadmitted_is_rendered(home: Home) -> None:
    """Each is refused by itself, and those beside it run, as the admitted user only."""
    right = {
        "good": {"command": ["/bin/echo", "50%", "%(here)s", "a ; b", "# c", "it's", '"', "$(reboot)", "`x`", "\t"]},
        "named": {**SLEEP, "user": NOBODY, "environment": {"PATH": "/bin", "A": "50% ; 'x\" \\ \x01"}},
    }
    answer = run(home, offered({**REFUSED, **right}))

    expected = {**dict.fromkeys(REFUSED, "refused"), **dict.fromkeys(right, "in_force")}
    assert rulings(answer) == expected
    assert all(complaints(answer, name) for name in REFUSED)
    rendered = commands(home)
    account = pwd.getpwnam(NOBODY)
    dropping = f"{SETPRIV} --reuid={account.pw_uid} --regid={account.pw_gid} --init-groups -- "
    assert rendered.keys() == {"web-0", "good-0", "named-0"}
    assert rendered["good-0"].startswith(dropping)
    assert rendered["named-0"] == f"{dropping}/bin/sleep 1"
    assert "evil" not in Path(home.supervisord_conf).read_text()
    assert b"evil" not in Path(home.table).read_bytes()


@as_root
def test_no_complaint_repeats_what_was_written(home: Home) -> None:
    """A variable may be a secret, and the answer goes into a log."""
    document = {**SLEEP, "environment": {"A": "hunter2\n", "LD_PRELOAD": "hunter2", "B": ["hunter2"]}}
    answer = run(home, offered({"w": document}))

    assert rulings(answer) == {"w": "refused"}
    assert "hunter2" not in json.dumps(answer)


@as_root
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "they are not what crewd writes"),
        (b"\xff", "they are not what crewd writes"),
        (b"{}", "they are not what crewd writes"),
        (b"[" * 1_000_000, "they are not what crewd writes"),
        (b'{"version":2,"workers":[]}', "they are of version 2, not 1"),
        (b'{"version":1,"workers":{}}', ""),
        (b'{"version":1,"workers":[{"worker_id":"a","document":{}}]}', "they are not what crewd writes"),
        (b'{"version":1,"workers":[{"worker_id":"a","document":"{}"},{"worker_id":"a","document":"{}"}]}', "twice"),
        (b'{"version":1,"workers":[],"x":"' + b"x" * (65 * 1024 * 1024) + b'"}', "more than 64 MiB"),
    ],
    ids=["nothing", "bytes", "empty", "deep", "version", "object", "no-text", "twice", "huge"],
)
def test_what_is_no_list_of_workers_changes_nothing(home: Home, text: bytes, said: str) -> None:
    """It is refused whole, in one sentence, and what is in force stays."""
    run(home, offered({"good": SLEEP}))
    before = os.readlink(home.current)
    if not said:
        assert rulings(run(home, text)) == {}
        return
    [line] = run(home, text, expected=1)

    assert line.startswith("cannot read the workers made over the API: ")
    assert said in line
    assert os.readlink(home.current) == before
    assert "good-0" in commands(home)


@as_root
def test_paths_lie_below_a_root_and_nothing_leads_out_of_it(home: Home, root: Path) -> None:
    """No .., no link that is there, and none that somebody else could put there later."""
    write(home, api_workers={"users": [NOBODY], "roots": [str(root)]})
    (root / "logs").mkdir()
    (root / "env").write_text("A=b\n")
    (root / "theirs").mkdir()
    os.chown(root / "theirs", pwd.getpwnam(NOBODY).pw_uid, -1)
    (root / "link").symlink_to("/etc")
    (root / "linked-env").symlink_to("/etc/shadow")
    (root / "logs" / "linked.log").symlink_to("/etc/cron.d/evil")
    secret = root.parent / "secret"
    secret.write_text("S=hunter2\n")
    os.link(secret, root / "hard-secret")
    right = {
        "directory": {**SLEEP, "directory": f"{root}/theirs"},
        "the-root": {**SLEEP, "directory": str(root)},
        "log": {**SLEEP, "stdout_logfile": f"{root}/logs/{{instance}}.log"},
        "env": {**SLEEP, "environment_file": f"{root}/env"},
        "no-env": {**SLEEP, "environment_file": f"-{root}/missing"},
    }
    wrong = {
        "dots": ({**SLEEP, "directory": f"{root}/../secret"}, "must not hold '..'"),
        "beside": ({**SLEEP, "directory": f"{root}-beside"}, "does not lie below a root"),
        "through-a-link": ({**SLEEP, "directory": f"{root}/link/cron.d"}, "does not lie below a root"),
        "log-through-a-link": ({**SLEEP, "stdout_logfile": f"{root}/link/evil.log"}, "does not lie below a root"),
        "log-is-a-link": ({**SLEEP, "stdout_logfile": f"{root}/logs/linked.log"}, "does not lie below a root"),
        "log-of-others": ({**SLEEP, "stdout_logfile": f"{root}/theirs/x.log"}, "could be replaced by others than root"),
        "below-others": ({**SLEEP, "directory": f"{root}/theirs/x"}, "could be replaced by others than root"),
        "env-is-a-link": ({**SLEEP, "environment_file": f"{root}/linked-env"}, "does not lie below a root"),
        "env-is-a-hard-link": ({**SLEEP, "environment_file": f"{root}/hard-secret"}, "a hard link"),
        "env-is-a-directory": ({**SLEEP, "environment_file": f"{root}/theirs"}, "Is a directory"),
    }
    answer = run(home, offered({**right, **{name: document for name, (document, _) in wrong.items()}}))

    fates = rulings(answer)
    assert {name: complaints(answer, name) for name in right if fates[name] != "in_force"} == {}
    assert {name for name in wrong if fates[name] != "refused"} == set()
    for name, (_, said) in wrong.items():
        [complaint] = complaints(answer, name)
        assert said in complaint, name
    assert "hunter2" not in Path(home.supervisord_conf).read_text()


@as_root
def test_no_log_is_what_a_worker_of_the_file_is_made_of(home: Home, root: Path) -> None:
    """Neither its program nor its variables: what is written there would run as whoever it runs as."""
    program, variables = root / "job.sh", root / "job.env"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    variables.write_text("A=b\n")
    job = {"command": [str(program)], "environment_file": str(variables)}
    write(home, api_workers={"users": [NOBODY], "roots": [str(root)]}, workers={"job": job})
    logs = {"over-program": program, "over-variables": variables}
    answer = run(home, offered({name: {**SLEEP, "stdout_logfile": str(file)} for name, file in logs.items()}))

    assert set(rulings(answer).values()) == {"refused"}
    for name in logs:
        [complaint] = complaints(answer, name)
        assert "workers.job" in complaint


@as_root
def test_a_link_that_comes_later_is_not_followed_either(root: Path) -> None:
    """The environment file is opened name by name, whatever it was when it was looked at."""
    (root / "a").mkdir()
    (root / "a" / "env").write_text("A=b\n")
    assert surroundings._read(f"{root}/a/env", [str(root)]) == "A=b\n"
    (root / "a").rename(root / "b")
    (root / "a").symlink_to("/etc")
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        surroundings._read(f"{root}/a/passwd", [str(root)])
    (root / "b" / "env").unlink()
    (root / "b" / "env").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="Too many levels"):
        surroundings._read(f"{root}/b/env", [str(root)])


@as_root
def test_what_the_defaults_say_is_judged_too(home: Home, root: Path) -> None:
    """Whom it runs as, and which file's content it gets; the directory of the defaults is root's own word."""
    secret = root / "secret"
    secret.write_text("S=hunter2\n")
    write(home, api_workers={"users": [NOBODY]}, defaults={"user": "daemon", "directory": "/"})
    as_daemon = run(home, offered({"w": SLEEP, "own": {**SLEEP, "user": NOBODY}}))
    write(home, api_workers={"users": [NOBODY]}, defaults={"environment_file": str(secret), "directory": "/"})
    reading = run(home, offered({"w": SLEEP, "own": {**SLEEP, "environment_file": None}}))

    assert rulings(as_daemon) == {"w": "refused", "own": "in_force"}
    assert rulings(reading) == {"w": "refused", "own": "in_force"}
    assert complaints(as_daemon, "w")[0].startswith('defaults.user: "daemon" is not admitted')


@as_root
def test_where_nobody_is_admitted_nobody_runs(home: Home) -> None:
    """The default of a root's supervisord."""
    write(home)
    answer = run(home, offered({"w": SLEEP, "r": {**SLEEP, "user": "root"}}))

    assert rulings(answer) == {"w": "refused", "r": "refused"}
    assert complaints(answer, "w") == ["user: has nobody to run as: crewd.api_workers.users in the file is empty"]
    assert commands(home).keys() == {"web-0"}


@as_root
def test_the_file_goes_first(home: Home) -> None:
    """A worker of its name, an instance's name, a listener's, its log file; and there is room for so many."""
    listener = {"command": "/bin/true", "events": "TICK_5"}
    write(
        home,
        api_workers={"users": [NOBODY], "instances": 3},
        workers={"web": {"command": ["/bin/true"], "instances": 2}, "a-0": {"command": ["/bin/true"]}},
        supervisord={"eventlisteners": {"ear": listener}},
    )
    answer = run(
        home,
        offered(
            {
                "web": SLEEP,
                "web-1": SLEEP,
                "a": SLEEP,
                "ear": SLEEP,
                "b": {**SLEEP, "instances": 2},
                "c": {**SLEEP, "instances": 2},
                "d": SLEEP,
            }
        ),
    )

    assert rulings(answer) == {
        "web": "shadowed",
        "web-1": "refused",
        "a": "refused",
        "ear": "refused",
        "b": "in_force",
        "c": "refused",
        "d": "in_force",
    }
    assert answer["api_workers"]["web"]["file"] == home.config
    assert answer["api_workers"]["web"]["line"] > 0
    assert complaints(answer, "c") == [
        "instances: there is room for 1 more: crewd.api_workers.instances in the file is 3"
    ]


@as_root
def test_one_that_is_no_longer_admitted_leaves_alone(home: Home) -> None:
    """The file was changed: who may not be any more is left out, the others stay."""
    write(home, api_workers={"users": [NOBODY, "daemon"]})
    given = offered({"d": {**SLEEP, "user": "daemon"}, "n": {**SLEEP, "user": NOBODY}})
    run(home, given)
    write(home, api_workers={"users": [NOBODY]})
    answer = run(home, given)

    assert answer["plan"]["removed"] == ["d-0"]
    assert answer["plan"]["kept"] == 2
    assert rulings(answer) == {"d": "refused", "n": "in_force"}


@as_root
def test_an_apply_by_hand_keeps_those_of_the_last_time(home: Home) -> None:
    """Nothing is read from standard input then, and nobody is lost; a check looks at the same."""
    run(home, offered({"w": SLEEP}))
    checked = run(home, None, "--check-only")
    answer = run(home, None)
    emptied = run(home, offered({}))

    assert not checked["changed"]
    assert not answer["changed"]
    assert rulings(answer) == {"w": "in_force"}
    assert emptied["plan"]["removed"] == ["w-0"]
    assert os.stat(home.offers).st_mode & 0o777 == 0o600


@as_root
def test_a_check_of_a_proposal_touches_nothing(home: Home) -> None:
    """Neither what is in force, nor what is kept for the next time."""
    run(home, offered({"w": SLEEP}))
    kept = Path(home.offers).read_bytes()
    answer = run(home, offered({"w": SLEEP, "v": SLEEP}), "--check-only")

    assert answer["plan"]["added"] == ["v-0"]
    assert Path(home.offers).read_bytes() == kept
    assert commands(home).keys() == {"web-0", "w-0"}


@as_root
def test_without_a_command_it_is_right_and_not_rendered(home: Home) -> None:
    """Until the file says what those run that say nothing."""
    before = run(home, offered({"w": {"port": 4001}}))
    write(home, api_workers={"users": [NOBODY]}, defaults={"local": {"command": ["/bin/sleep", "7"]}})
    after = run(home, offered({"w": {"port": 4001}}))

    assert rulings(before) == {"w": "without_command"}
    assert rulings(after) == {"w": "in_force"}
    assert commands(home)["w-0"].endswith(" -- /bin/sleep 7")


@as_root
def test_another_user_s_supervisord_runs_workers_as_itself_alone(tmp_path: Path) -> None:
    """Where it is not root, its own user is admitted without a word, and nobody else ever."""
    home = Home.under("/tmp/crewd-" + os.urandom(4).hex())
    account = pwd.getpwnam(NOBODY)
    try:
        Path(home.etc).mkdir(parents=True)
        write(home)
        for path in (Path(home.etc).parent, Path(home.etc), Path(home.config)):
            os.chown(path, account.pw_uid, account.pw_gid)
        program = (
            "from crewd.apply import main; from crewd.supervisord.render import _template; _template(); "
            f"import json, os, sys; os.setgid({account.pw_gid}); os.setuid({account.pw_uid}); "
            f"os.environ['CREWD_HOME'] = {home.etc.removesuffix('/etc')!r}; sys.argv = ['a', '--api-workers']; "
            "main()"
        )
        given = offered({"own": SLEEP, "named": {**SLEEP, "user": NOBODY}, "other": {**SLEEP, "user": "daemon"}})
        ended = subprocess.run(
            [sys.executable, "-c", program],
            input=given,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stderr
        assert rulings(json.loads(ended.stdout)) == {"own": "in_force", "named": "in_force", "other": "refused"}
    finally:
        subprocess.run(["rm", "-rf", home.etc.removesuffix("/etc")], check=True)
