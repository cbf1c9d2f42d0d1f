"""A log that cannot be written, as supervisor's own classes write it."""

import sys
from pathlib import Path
from typing import Any

import pytest
from supervisor import loggers

from crewd_supervisord import full_disk


@pytest.fixture(autouse=True)
def outliving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Supervisor's log in these tests alone is one that never raises."""
    module: Any = loggers
    monkeypatch.setattr(module.Handler, "handleError", module.Handler.handleError)
    monkeypatch.setattr(module.RotatingFileHandler, "doRollover", module.RotatingFileHandler.doRollover)
    full_disk.outlive()


def test_what_fits_nowhere_is_lost(monkeypatch: pytest.MonkeyPatch):
    """Neither into the log nor to standard error."""
    logger: Any = loggers.getLogger()
    loggers.handle_file(logger, "/dev/full", "%(message)s\n")
    with open("/dev/full", "w", buffering=1) as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        logger.critical("lost")
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space left"):
            stderr.flush()
        drop(stderr)
    drop(logger.handlers[0].stream)


def drop(stream: Any) -> None:
    """Close a file that cannot take what waits in its buffer."""
    with pytest.raises(OSError, match="No space left"):
        stream.close()


def test_a_log_that_cannot_be_begun_anew_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """It loses what is said until it can be opened, and nothing else."""
    log = tmp_path / "log"
    logger: Any = loggers.getLogger()
    loggers.handle_file(logger, str(log), "%(message)s\n", rotating=True, maxbytes=20, backups=1)
    with monkeypatch.context() as patch:
        for module in (loggers, full_disk):
            patch.setattr(module, "open", refuse, raising=False)
        patch.setattr(sys, "stderr", open("/dev/null", "w"))  # noqa: SIM115 - what is said of the lost line
        logger.info("as long as the bound is")
        logger.info("lost, too")
    logger.info("lost, but opens it")
    logger.info("kept")
    logger.close()

    assert (tmp_path / "log.1").read_text() == "as long as the bound is\n"
    assert log.read_text() == "kept\n"


def refuse(*_: object) -> None:
    """A process that has no descriptor left."""
    raise OSError(24, "Too many open files")
