"""Figures that fault tests report (`record_property("figure", …)`), written into the page that publishes them."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/reference/reliability.md"
_TABLE = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)


class Figures:
    """Collects what passing tests report, and puts it into the page when the run is over."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            name = report.nodeid.rsplit("::", 1)[-1]
            self._rows += [(name, str(figure)) for key, figure in report.user_properties if key == "figure"]

    def pytest_sessionfinish(self) -> None:
        rows = [f"| {_sentence(name)} | {figure.replace(' | ', '; ')} |\n" for name, figure in sorted(self._rows)]
        table = "".join(["| test | figures |\n", "|---|---|\n", *rows])
        PAGE.write_text(_TABLE.sub(lambda _: table, PAGE.read_text()))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-figures", action="store_true", help="write the figures of fault tests into their page")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--write-figures") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Figures())


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")
