"""Workers made over the API are read by the keys of the YAML, under the defaults of the file, and never more."""

import json
from typing import Any

import pytest

from crewd.config.keys import OFFERED
from crewd.config.offered import faults, joining, read_offered, superseded
from crewd.config.schema import configuration_schema
from crewd.model.offer import Offer
from crewd.model.spec import RestartMode
from crewd.reconcile.configuring import merged


def offer(worker_id: str = "w", **members: Any) -> Offer:
    """Return an offer of this document."""
    return Offer(worker_id, json.dumps(members))


def told(text: str, worker_id: str = "w") -> list[str]:
    """Return what is wrong with a document."""
    return [str(one) for one in faults(Offer(worker_id, text))]


def test_a_document_is_the_worker_that_the_same_yaml_is(crew) -> None:
    """Key by key, with the defaults of the file under it."""
    body = {
        "command": ["x", "%(y)s; z"],
        "instances": 2,
        "environment": {"A": "b", "N": 1},
        "restart": "no",
        "restart_sec": "1min 30s",
        "umask": "022",
        "success_exit_status": [2, "SIGTERM"],
        "labels": {"tier": "front"},
        "stdout_logfile": "none",
        "auto_start": False,
        "max_restart_attempts": 3,
    }
    defaults = {"environment": {"B": "c"}, "timeout_stop_sec": 5, "labels": {"site": "one"}}
    loaded = crew(json.dumps({"defaults": defaults, "workers": {"w": body}}))

    assert joining(loaded.crew)([offer(**body)]) == loaded.spec.workers


def test_what_the_file_says_for_those_without_a_command_or_a_user(crew) -> None:
    """Its own go first; a command that is written wrongly is not passed over."""
    loaded = crew(
        "crewd: {api_workers: {users: [nobody, root]}}\ndefaults: {local: {command: [sleep, infinity]}}\nworkers: {}\n"
    )
    bare = read_offered(offer(), loaded.crew).worker
    own = read_offered(offer(command=["x"], user="root"), loaded.crew).worker
    wrong = read_offered(offer(command=[]), loaded.crew).worker

    assert bare is not None
    assert own is not None
    assert (bare.spec.command, bare.spec.user) == (("sleep", "infinity"), "nobody")
    assert (own.spec.command, own.spec.user) == (("x",), "root")
    assert wrong is None


def test_without_any_command_it_is_right_in_itself() -> None:
    """Starting it is another question."""
    read = read_offered(offer(port=1))

    assert read.worker is not None
    assert read.worker.spec.command == ()


def test_the_document_s_own_words() -> None:
    """The fields of the seed document mean what their names mean in the YAML."""
    read = read_offered(offer(auto_start=False, auto_restart=True, max_restart_attempts=3, restart_delay_ms=5000))

    assert read.worker is not None
    policy = read.worker.spec.policy
    assert (read.worker.spec.autostart, policy.restart) == (False, RestartMode.ALWAYS)
    assert (policy.start_limit_burst, policy.restart_sec) == (4, 5.0)


WRONG = [
    ('{"port": "80"}', 'port: expects a whole number from 1 to 65535, found "80"'),
    ('{"port": 80.0}', "port: expects a whole number from 1 to 65535, found 80.0"),
    ('{"port": 1e3}', "port: expects a whole number from 1 to 65535, found 1e3"),
    ('{"port": true}', "port: expects a whole number from 1 to 65535, found true"),
    ('{"auto_start": "true"}', 'auto_start: expects true or false, found "true"'),
    ('{"auto_start": 1}', "auto_start: expects true or false, found 1"),
    ('{"name": 5}', 'name: expects text, found 5: write it in quotes, "5"'),
    ('{"command": "sh -c reboot"}', "command: expects a list of texts such as"),
    ('{"command": []}', "command: names no program"),
    ('{"command": ["./x"]}', 'command: the program "./x" depends on where supervisord was started'),
    ('{"command": ["a\\nb"]}', "command[0]: holds a line break"),
    ('{"command": ["a\\u0000"]}', "command[0]: holds a NUL"),
    ('{"command": ["a\\ud800"]}', "command[0]: holds a control character"),
    ('{"command": ["x"], "cwd": "/a", "directory": "/b"}', "directory: says the same as 'cwd' beside it"),
    ('{"auto_restart": true, "restart": "always"}', "restart: says the same as 'auto_restart' beside it"),
    ('{"comand": ["x"]}', "comand: unknown key: did you mean command?"),
    ('{"eventlisteners": {}}', "eventlisteners: unknown key"),
    ('{"reset": {}}', "reset: can be said in the file alone"),
    ('{"local": {"command": ["x"]}}', "local: unknown key"),
    ('{"worker_id": "w"}', "worker_id: unknown key"),
    ('{"deployment_type": "docker"}', "deployment_type: docker: this version runs workers on this machine only"),
    ('{"environment": {"CREWD_A": "x"}}', "environment.CREWD_A: is reserved"),
    ('{"environment": {"A=B": "x"}}', "environment.A: is no name for variables"),
    ('{"environment": {"A": null}}', "environment.A: is empty"),
    ('{"stdout_logfile": "../x"}', "stdout_logfile: expects auto, none, or an absolute path"),
    ('{"stdout_logfile": "/x/%(here)s/{host}"}', 'stdout_logfile: "{host}" is no placeholder'),
    ('{"directory": "/srv ; x"}', "directory: holds white space at an end, or before ; or #"),
    ('{"port": 1, "port": 2}', "port: is written twice"),
    ('{"port": NaN}', "document: is not JSON: NaN is no number"),
    ("{", "document: is not JSON"),
    ("[]", "document: expects an object of JSON"),
    ('"x"', "document: expects an object of JSON"),
    ('{"labels": ' + '{"a":' * 30 + "1" + "}" * 31, "document: is nested more than 20 deep"),
    ("[" * 100_000, "document: is nested more than 20 deep"),
    ('{"port": ' + "9" * 10_000 + "}", "port: expects a whole number"),
    ('{"name": "' + "x" * 2_000_000 + '"}', "document: is longer than 1048576 characters"),
    ('{"user": "there-is-nobody"}', 'user: there is no user "there-is-nobody"'),
]


@pytest.mark.parametrize(("text", "expected"), WRONG, ids=[text[:40] for text, _ in WRONG])
def test_what_is_wrong_is_said_at_its_field(text: str, expected: str) -> None:
    """One complaint, that begins with the way to the member."""
    [complaint] = told(text)

    assert complaint.startswith(expected)
    assert len(complaint) < 400


@pytest.mark.parametrize("worker_id", ["", "all", "-x", "a/b", "../x", "a b", "x" * 101, "a\nb", "%(x)s", "a\0b"])
def test_an_id_is_held_to_the_rules_of_ids(worker_id: str) -> None:
    """It becomes the name of a section and of files."""
    [complaint] = told("{}", worker_id)

    assert complaint.startswith("worker_id: is ")


def test_all_that_is_wrong_is_said_at_once() -> None:
    """A client mends it in one go."""
    complaints = told('{"port": 0, "restart": "sometimes", "x": 1}')

    assert sorted(one.partition(":")[0] for one in complaints) == ["port", "restart", "x"]


def test_what_a_default_is_to_blame_for_names_the_file(crew, folder) -> None:
    """Here nothing is: the place of a default is known to the worker."""
    loaded = crew("defaults: {directory: /srv}\nworkers: {}\n")
    worker = read_offered(offer(command=["x"]), loaded.crew).worker

    assert worker is not None
    worker.error("directory", "is wrong")
    assert worker.where("directory")[0].file == str(folder / "crewd.yaml")


def test_the_schema_has_every_key_and_no_string_of_a_command() -> None:
    """For programs that write documents."""
    schema = configuration_schema()
    names = {key.name for key in OFFERED.keys} | {alias.name for alias in OFFERED.aliases}

    assert set(schema["properties"]) == names
    assert schema["properties"]["command"]["type"] == "array"
    assert "required" not in schema


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ({"port": 1, "name": "a"}, {"port": 2}, {"port": 2, "name": "a"}),
        ({"port": 1, "name": "a"}, {"port": None}, {"name": "a"}),
        ({"labels": {"A": "1", "B": "2"}}, {"labels": {"A": None, "C": "3"}}, {"labels": {"B": "2", "C": "3"}}),
        ({"environment": {"A": "1"}}, {"environment": None}, {}),
        ({"labels": {"a": "b"}, "command": ["x", "y"]}, {"command": ["z"]}, {"labels": {"a": "b"}, "command": ["z"]}),
        ({"auto_restart": True}, {"restart": "no"}, {"restart": "no"}),
        ({"restart": "no"}, {"auto_restart": True}, {"auto_restart": True}),
        ({"auto_restart": True}, {"restart": None}, {"auto_restart": True}),
        ({"directory": "/a"}, {"cwd": "/b"}, {"cwd": "/b"}),
        ({"start_limit_burst": 5, "port": 1}, {"max_restart_attempts": 1}, {"max_restart_attempts": 1, "port": 1}),
        ({"max_restart_attempts": 1}, {"start_limit_burst": 5}, {"start_limit_burst": 5}),
        ({"port": 1}, {}, {"port": 1}),
    ],
)  # fmt: skip
def test_a_patch_is_merged(before: dict[str, Any], patch: dict[str, Any], after: dict[str, Any]) -> None:
    """As RFC 7396 has it; and a member takes the place of what said the same by another name."""
    assert merged(before, patch, superseded) == after


def test_the_api_section_is_read_strictly(refused, crew) -> None:
    """Users exist, roots are absolute, nothing else stands there."""
    spec = crew("crewd: {api_workers: {users: [nobody, nobody, 0], roots: [/srv], instances: 7}}\nworkers: {}\n").spec
    wrong = refused(
        "crewd: {api_workers: {users: [there-is-nobody], roots: [srv], commands: [x]}}\nworkers: {a: {command: x}}\n"
    )

    assert spec.daemon.api_workers.users == ("nobody", "root")
    assert (spec.daemon.api_workers.roots, spec.daemon.api_workers.instances) == (("/srv",), 7)
    assert len(wrong) == 3
