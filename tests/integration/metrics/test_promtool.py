"""The page before Prometheus' own tool."""

import shutil
import subprocess

import pytest

from crewd.metrics import Calls, Metrics
from crewd.model.accounts import DURATION_BUCKETS_SEC, Key, Total, bucket
from crewd.model.reasons import Reason
from crewd.model.record import PastExit, Record, Standing
from crewd.model.spec import CrewSpec, WorkerSpec
from crewd.model.states import ProcessState
from crewd.reconcile.port import Usage
from harness.views import shown

CRASH = PastExit(1e9, Reason.SIGNAL, None, 11, 3.0)
RECORDS = {
    "web-0": Record(Standing.UP, ProcessState.RUNNING, pid=7, started_at=5.0, started_wall=1e9, starts=(5.0,)),
    "web-1": Record(Standing.UP, ProcessState.BACKOFF, due_at=1e6, exits=(CRASH,)),
    'o"d\\d-0': Record(Standing.GIVEN_UP, ProcessState.FATAL, exits=(CRASH,)),
}
TOTALS = {
    Key(Total.RESTARTS, "web", "ExitCode"): 3.0,
    Key(Total.DURATION, "web", bucket(DURATION_BUCKETS_SEC, 0.3)): 2.0,
    Key(Total.DURATION_SUM, "web"): 0.6,
}


def test_promtool_has_nothing_to_say() -> None:
    """Neither of the format, nor of names, suffixes, units and help texts."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool")
    view = shown(RECORDS, CrewSpec({"web": WorkerSpec("web", ("x",))}), TOTALS).view
    view.usages.of, view.usages.at = {"web-0": Usage(1.5, 0.1, 4096, 2048, 5, 2)}, 1e9
    view.applies.successful, view.applies.at = True, 1e9
    calls = Calls()
    calls.timed("version", 0.001)
    done = subprocess.run(
        [promtool, "check", "metrics"], input=Metrics(view, calls).render(), capture_output=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
