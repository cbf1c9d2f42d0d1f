"""What holds for all tests.

1. With CI=true a skipped test is a failed test, unless its reason is one that SKIPS_ALLOWED knows: a machine that lacks
   a part must not pass for one that has it.
2. CREWD_SOAK=n asks the long tests for n times their usual length.
3. What tests start can be interrupted, also where a shell's background job was told to ignore that.
"""

import os
import re
import signal
from collections.abc import Generator

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SKIPS_ALLOWED: dict[str, str] = {}
"""Reason of the skip, as a regular expression that matches it whole, to why that is no loss."""

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@pytest.fixture(scope="session")
def soak() -> int:
    """How many times its usual length a long test is to run: 1, or more under `make soak`."""
    return int(os.environ.get("CREWD_SOAK", "1"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let no test skip in CI."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _deny_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let no module skip in CI."""
    report = yield
    _deny_skip(report)
    return report


def _deny_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not (IN_CI and report.skipped and isinstance(report.longrepr, tuple)):
        return
    path, line, message = report.longrepr
    reason = message.removeprefix("Skipped: ")
    if not any(re.fullmatch(known, reason) for known in SKIPS_ALLOWED):
        report.outcome = "failed"
        report.longrepr = f"{path}:{line}: skipped, which CI does not allow: {reason}"
