"""A log file whose directory is not there costs its own worker, and nobody else."""

import shutil
from pathlib import Path

import pytest

from crewd.model.facts import Judged, SpawnFailed
from crewd.model.reasons import Verdict
from crewd.model.spec import RestartMode, RestartPolicy
from harness import ENGINE_EDITIONS, Edition, Program, Supervisord, shell

SLEEPER = ("/bin/sleep", "1000")


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_a_missing_log_directory_costs_one_worker(edition: Edition):
    """Stock supervisord would refuse the whole file. The worker starts once the directory is there."""
    with Supervisord(edition, start=False) as server:
        folder = Path(server.path("mount"))
        patient = RestartPolicy(restart_sec=0.1, restart_max_delay_sec=0.1, start_limit_burst=0)
        server.boot(
            [
                Program("well-0", SLEEPER),
                Program("mounted-0", SLEEPER, policy=patient, stdout=f"{folder}/out.log"),
            ]
        )
        server.wait_state("well-0", "RUNNING")
        server.wait_state("mounted-0", "BACKOFF")

        assert server.facts(SpawnFailed, "mounted-0")[0].step in {"pipes", "fork"}

        folder.mkdir()
        server.wait_state("mounted-0", "RUNNING")

        assert (folder / "out.log").exists()


@pytest.mark.parametrize("edition", ENGINE_EDITIONS)
def test_a_start_in_the_delay_may_be_the_last(edition: Edition):
    """It fails at once, and is not followed by another: the worker rests, and its delay is not waited for any more."""
    with Supervisord(edition, start=False) as server:
        folder = Path(server.path("mount"))
        folder.mkdir()
        patient = RestartPolicy(RestartMode.ON_SUCCESS, restart_sec=600.0, start_success_sec=0.0)
        server.boot([Program("mounted-0", shell("exit 0"), policy=patient, stdout=f"{folder}/out.log")])
        server.wait_state("mounted-0", "BACKOFF")
        shutil.rmtree(folder)
        answer = server.supervisorctl("start", "mounted-0")

        assert answer.stdout == "mounted-0: ERROR (spawn error)\n"
        assert server.facts(Judged, "mounted-0")[-1].verdict is Verdict.NOT_WANTED
        assert server.state("mounted-0") == "EXITED"
        assert server.standing("mounted-0")["standing"] == "finished"
