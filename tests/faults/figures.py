"""Figures that fault tests report (`record_property("figure", …)`), written into the page that publishes them."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/reference/reliability.md"
_TABLE = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)
_ROW = re.compile(r"^\| (.*?) \| (.*) \|$", re.MULTILINE)


class Figures:
    """Collects what passing tests report, and puts it into the page when the run is over; what is there of tests that
    did not run stays."""

    def __init__(self) -> None:
        self._rows: dict[str, list[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            name = sentence(report.nodeid.rsplit("::", 1)[-1])
            figures = [str(figure).replace(" | ", "; ") for key, figure in report.user_properties if key == "figure"]
            if figures:
                self._rows[name] = figures

    def pytest_sessionfinish(self) -> None:
        rows = {**published(), **self._rows}
        lines = [f"| {name} | {figure} |\n" for name in sorted(rows) for figure in rows[name]]
        table = "".join(["| test | figures |\n", "|---|---|\n", *lines])
        PAGE.write_text(_TABLE.sub(lambda _: table, PAGE.read_text()))


def published() -> dict[str, list[str]]:
    """What the page says of each test."""
    rows: dict[str, list[str]] = {}
    for name, figure in _ROW.findall(_TABLE.search(PAGE.read_text())[0])[1:]:  # type: ignore[index]  # it is there
        rows.setdefault(name, []).append(figure)
    return rows


def sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-figures", action="store_true", help="write the figures of fault tests into their page")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--write-figures") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Figures())
