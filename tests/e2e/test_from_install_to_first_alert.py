"""docs/tutorial/from-install-to-first-alert.md, typed in as it stands, on a machine of its own with a real systemd."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import package, systemd_box
from harness.systemd_box import Box
from harness.waiting import wait_for

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial/from-install-to-first-alert.md"
FENCED = re.compile(r"^```(console|yaml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NEEDED = ("prometheus", "prometheus-alertmanager", "amtool", "dpkg-buildpackage", "dh")
COMES_SEC = 90.0
BUILD = "make deb"
ALERTS = "amtool --alertmanager.url=http://127.0.0.1:9093 alert query"

STORY = [
    (BUILD, ""),
    ("apt-get install -y --no-upgrade ./dist/crewd_*.deb prometheus prometheus-alertmanager", ""),
    (
        "systemctl status --no-pager crewd crewd-supervisord",
        r"crewd\.service(.|\n)*active \(running\)(.|\n)*crewd-supervisord\.service(.|\n)*active \(running\)",
    ),
    ("/etc/crewd/crewd.yaml", ""),
    ("crewd check", "2 instances: ok"),
    ("crewctl reload", "added: web-0, web-1"),
    ("crewctl status", r"2 running(.|\n)*web-0 +\S running(.|\n)*web-1 +\S running"),
    ("curl -sI http://127.0.0.1:8010/", r"HTTP/1\.0 200 OK"),
    ("pkill -KILL -f 'http.server --bind 127.0.0.1 8010'", ""),
    ("crewctl status web-1", r"web-1 +\S running +\d+ .* 1 +- +\d+ s ago: SIGKILL \(Signal\)"),
    ("crewctl why web-1", r"SIGKILL after .*Signal -> Restarted(.|\n)*restarted once"),
    ("install -D -m 0644 -t /etc/prometheus/rules /usr/share/crewd/prometheus/rules/*.yml", ""),
    (
        "install -m 0644 -t /etc/prometheus /usr/share/crewd/prometheus/{prometheus,alertmanager}.yml",
        "",
    ),
    ("promtool check config /etc/prometheus/prometheus.yml", "SUCCESS(.|\n)*rules found"),
    ("""echo 'ARGS="--cluster.listen-address="' >/etc/default/prometheus-alertmanager""", ""),
    ("systemctl restart prometheus prometheus-alertmanager", ""),
    (
        "promtool query instant http://127.0.0.1:9090 'crewd_worker_state{state=\"RUNNING\"}'",
        r'exported_instance="web-0".*=> 1(.|\n)*exported_instance="web-1".*=> 1',
    ),
    ("/etc/crewd/conf.d/orders.yaml", ""),
    ("crewctl reload", "added: orders-0"),
    ("crewctl status", r"2 running, 1 error(.|\n)*orders-0 +\S error .* 2 .*exit code 1 \(ExitCode\)"),
    (ALERTS, r"CrewdWorkerGivenUp .*orders-0 on 127\.0\.0\.1:3000 was given up +active"),
    ("crewctl why orders", "given up, for 3 starts within 10 min are the limit"),
    ("crewctl logs orders --stderr -n 2", "tail: cannot open '/srv/orders/today.csv'"),
    ("install -D -m 0644 /dev/null /srv/orders/today.csv", ""),
    ("crewctl start orders", r"orders-0 +started"),
    ("crewctl status", "3 instances: 3 running"),
    (ALERTS, r"\A\S*Alertname +Starts At +Summary +State *\n*\Z"),
]
"""Each command of the page, or file that it has one write, and what comes of it; without a pattern it just succeeds."""

pytestmark = [
    pytest.mark.skipif(bool(systemd_box.missing()), reason=systemd_box.missing()),
    pytest.mark.skipif(
        not all(shutil.which(name) for name in NEEDED), reason=f"not installed: one of {', '.join(NEEDED)}"
    ),
]


def page_steps() -> list[tuple[str, str]]:
    """Return what the page has typed, each with nothing, and what it has written, each file with its text."""
    steps = list[tuple[str, str]]()
    for kind, text in FENCED.findall(PAGE.read_text()):
        if kind == "yaml":
            steps.append((text.partition("\n")[0].removeprefix("# "), text))
        else:
            steps += [(command, "") for command in re.findall(r"^# (.*)", text, re.MULTILINE)]
    return steps


@pytest.fixture
def machine() -> Iterator[Box]:
    """A machine on which nothing of crewd is but the package, where `make deb` puts it."""
    built = package.built()
    with Box() as box:
        box.run("install", "-D", "-t", f"{ROOT}/dist", str(built))
        yield box


def type_in(machine: Box, command: str) -> tuple[int, str]:
    """Type a command as root, in the checkout; return its status, and what it said."""
    done = machine.run("bash", "-s", text=f"cd {ROOT}\n{command}\n", check=False)
    return done.returncode, done.stdout + done.stderr


def take(machine: Box, step: str, text: str, pattern: str) -> None:
    """Do one thing that the page says, and wait for what it says comes of it."""
    if text:
        machine.run("sh", "-c", f"umask 022; cat >{step}", text=text)
    elif pattern:
        said = list[str]()
        wait_for(
            lambda: said.append(type_in(machine, step)[1]) or re.search(pattern, said[-1]),
            COMES_SEC,
            lambda: f"{pattern} of {step}: {said[-1]}",
        )
    else:
        status, words = type_in(machine, step)
        assert status == 0, f"{step}: {words}"


def test_the_page_and_this_story_have_the_same_steps() -> None:
    """What is added to the page is tried here, too."""
    assert [step for step, _ in page_steps()] == [step for step, _ in STORY]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_minutes_go_as_the_tutorial_says(machine: Box) -> None:
    """From a machine without crewd to an alert that comes when it should, and goes."""
    for (step, text), (_, pattern) in zip(page_steps(), STORY, strict=True):
        if (
            step != BUILD
        ):  # what it runs has made the package that lies there; itself it would set up this checkout anew
            take(machine, step, text, pattern)
