"""A log file whose directory is not there costs its own worker, and nobody else."""

from pathlib import Path

import pytest

from crewd.model.facts import SpawnFailed
from crewd.model.spec import RestartPolicy
from harness import ENGINE_EDITIONS, Edition, Program, Supervisord

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
