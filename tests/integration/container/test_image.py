"""The image of packaging/docker, built and run by an engine of the test's own, without a registry and a network."""

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from harness import docker
from harness.docker import Engine
from harness.waiting import wait_for

ROOT = docker.ROOT
CONTEXT = ("LICENSE", "README.md", "daemon", "packaging", "plugins", "pyproject.toml", "supervisord.conf.j2")
SENTENCE = "cannot go on: web-0 of the essential worker web was given up: exit code 3 (ExitCode -> StartLimitHit)"
LIMIT = {"start_limit_burst": 2, "restart_sec": 0, "start_success_sec": "100ms"}
OPEN = 0o755

pytestmark = [
    pytest.mark.skipif(bool(docker.missing()), reason=docker.missing()),
    pytest.mark.timeout(900),  # the first of them builds the image
]


def sh(script: str) -> list[str]:
    """Return the command that runs it."""
    return ["/bin/sh", "-c", script]


POLITE = sh("trap 'echo told >/tmp/out/told; exit 0' TERM; while :; do sleep 0.1; done")
FAILS = sh("while [ ! -e /tmp/out/fail ]; do sleep 0.1; done; exit 3")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One that has built the image."""
    context = tmp_path_factory.mktemp("context")
    with Engine() as found:
        docker.python_base(found, "base")
        for name in CONTEXT:
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, context / name)
        docker.wheels(context / "wheels")
        local = ("BASE=base", "EXTRAS=", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=wheels")
        arguments = [word for one in local for word in ("--build-arg", one)]
        dockerfile = str(context / "packaging/docker/Dockerfile")
        found.run("build", "--network=none", "-t", "crewd", "-f", dockerfile, *arguments, str(context))
        yield found


class Container:
    """One that runs, with directories of the test's for its configuration and what its workers write."""

    def __init__(self, engine: Engine, root: Path, crew: object) -> None:
        self.engine = engine
        self.etc, self.out = root / "etc", root / "out"
        for folder, mode in ((root, OPEN), (self.etc, OPEN), (self.out, 0o777)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
        self.write(crew)
        binds = ["-v", f"{self.etc}:/etc/crewd:ro", "-v", f"{self.out}:/tmp/out"]
        confined = ["--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none"]
        self.id = engine.out("run", "--detach", *confined, *binds, "crewd")

    def write(self, crew: object) -> None:
        """Write the configuration."""
        (self.etc / "crewd.yaml").write_text(yaml.safe_dump({"workers": crew}))
        (self.etc / "crewd.yaml").chmod(0o644)

    def says(self, text: str) -> None:
        """Wait until its log has this."""
        wait_for(lambda: text in self.engine.logs(self.id), 90, lambda: self.engine.logs(self.id))

    def inside(self, script: str) -> str:
        """Return what a script inside prints."""
        return self.engine.out("exec", self.id, "sh", "-c", script)

    def signal(self, number: signal.Signals) -> None:
        """Send PID 1 a signal, as the engine does."""
        self.engine.run("kill", "--signal", number.name.removeprefix("SIG"), self.id)

    def exit_code(self) -> int:
        """Wait for its end."""
        return int(self.engine.out("wait", self.id))


@contextmanager
def running(engine: Engine, root: Path) -> Iterator[Container]:
    """A crew of two, up: one that can be had to fail, and one that says how it was ended."""
    for folder in root.parents:
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(0o711)  # the workers are not root
    crew = {"web": {"command": FAILS, "essential": True, **LIMIT}, "polite": {"command": POLITE}}
    found = Container(engine, root, crew)
    found.says("started instance=polite-0")
    found.says(" ready")
    found.says("listening on=")
    yield found


@pytest.fixture(scope="module")
def container(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """One for all tests after which it still runs."""
    with running(engine, tmp_path_factory.mktemp("container")) as found:
        yield found


def test_a_worker_cannot_read_what_the_daemon_was_told(container: Container) -> None:
    """It runs as the same user; the environment of PID 1 and of the daemon may hold a password."""
    daemon = container.inside("cut -d' ' -f1 /proc/1/task/1/children")
    said = [
        container.inside(f"tr '\\0' ' ' </proc/{pid}/cmdline; cat /proc/{pid}/environ 2>&1; true")
        for pid in ("1", daemon)
    ]

    assert all("crewd run" in one and "Permission denied" in one for one in said), said


def test_the_crew_runs_without_being_root(container: Container) -> None:
    """As the image's user, without any capability; and it is healthy."""
    assert container.inside("id -u") == "10001"
    assert "web-0" in container.inside("crewctl status; true")
    check = json.loads(container.engine.out("inspect", "--format", "{{json .Config.Healthcheck.Test}}", "crewd"))[1]
    assert container.inside(f"({check}); echo $?") == "0"
    assert container.inside("crewctl stop polite >/dev/null; crewctl status >/dev/null; echo $?") == "3"
    assert container.inside(f"({check}); echo $?") == "0"
    assert container.inside(f"(CREWD_HOME=/nowhere; export CREWD_HOME; {check}); echo $?") == "1"
    container.inside("crewctl start polite")


def test_a_hangup_of_the_container_is_a_reload(container: Container) -> None:
    """What changed is applied, the rest goes on."""
    before = pid_of(container, "polite")
    container.write({"polite": {"command": POLITE}, "new": {"command": ["sleep", "1000"]}})
    container.signal(signal.SIGHUP)

    container.says("started instance=new-0")
    assert pid_of(container, "polite") == before


def pid_of(container: Container, worker: str) -> int:
    """Return the pid of its instance."""
    [found] = json.loads(container.inside(f"crewctl status -o json {worker}; true"))["workers"]
    return int(found["instances"][0]["pid"])


def test_orphans_are_reaped(container: Container) -> None:
    """What loses its parent becomes PID 1's, and is gone when it ends."""
    script = "echo $$ >>/tmp/out/orphans; sleep 0.2"
    container.inside(f"for i in 1 2 3 4 5 6 7 8 9; do (sh -c '{script}' &); done")
    written = container.out / "orphans"
    wait_for(lambda: written.exists() and len(written.read_text().split()) == 9, what="orphans")
    pids = " ".join(f"/proc/{pid}" for pid in written.read_text().split())

    wait_for(lambda: container.inside(f"ls -d {pids} 2>/dev/null; true") == "", what="their end")


def test_a_stop_of_the_container_is_graceful(engine: Engine, tmp_path: Path) -> None:
    """The workers are told, and supervisord's end is waited for."""
    with running(engine, tmp_path) as container:
        engine.run("stop", "--time", "30", container.id)

        assert container.exit_code() == 0
        assert (container.out / "told").read_text() == "told\n"
        container.says('supervisord stopped how="exited with 0"')


def test_the_container_ends_with_its_essential_worker(engine: Engine, tmp_path: Path) -> None:
    """With 1, and the sentence in the engine's log; the others are stopped in order."""
    with running(engine, tmp_path) as container:
        (container.out / "fail").touch()

        assert container.exit_code() == 1
        assert engine.logs(container.id).splitlines()[-1] == SENTENCE
        assert (container.out / "told").exists()
