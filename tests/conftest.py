"""What all tests share: a few figures at the end of a run."""

from __future__ import annotations

import pytest

from tests.summary import USERS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each test that had users: how many requests they made, how many a second, how many failed."""
    found = [
        (report.nodeid.rpartition("::")[2], text)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "teardown"
        for name, text in report.user_properties
        if name == USERS
    ]
    if found:
        terminalreporter.section("users")
    for test, text in sorted(found):
        terminalreporter.write_line(f"{text}: {test}")
