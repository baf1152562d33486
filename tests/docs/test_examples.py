"""What the documents show runs, and prints what they say."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, examples, run_bash, run_python
from tests.faults.server_process import KEY, ServerProcess
from tests.vendor.environments import NotInstallableError, python_with

DOCS = ROOT / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
VENDORS = {"zep-python.md": "zep-python==1.5.0", "memsy.md": "memsy==0.3.5"}
"""Pages whose programs run in the environment of another client."""

IN_PYTHON = [page for page in PAGES if page.name not in VENDORS and examples(page, "python")]
IN_BASH = [page for page in PAGES if examples(page, "bash")]


def _name(page: Path) -> str:
    return page.stem


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder a person who starts the server is in; `memcairn` finds its data there by itself."""
    return tmp_path_factory.mktemp("beside")


@pytest.fixture(scope="module")
def server(beside: Path) -> Iterator[ServerProcess]:
    started = ServerProcess(beside / "memcairn-data")
    started.start()
    yield started
    started.stop()


@pytest.mark.parametrize("page", IN_PYTHON, ids=_name)
def test_python_runs_and_prints_what_the_page_says(page: Path, tmp_path: Path, server: ServerProcess) -> None:
    run_python(examples(page, "python"), tmp_path, url=server.url, key=KEY)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the scripts of the pages call curl")
@pytest.mark.parametrize("page", IN_BASH, ids=_name)
def test_scripts_run_and_print_what_the_page_says(page: Path, beside: Path, server: ServerProcess) -> None:
    run_bash(examples(page, "bash"), beside, url=server.url, key=KEY)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README calls curl")
def test_the_requests_of_the_readme_are_answered(beside: Path, server: ServerProcess) -> None:
    asked = [example for example in examples(ROOT / "README.md", "bash") if example.code.startswith("curl")]

    assert asked
    run_bash(asked, beside, url=server.url, key=KEY)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "client"), VENDORS.items())
def test_what_is_shown_of_another_client_runs_with_it(
    page: str, client: str, tmp_path: Path, server: ServerProcess
) -> None:
    try:
        python = python_with(client)
    except NotInstallableError as error:
        pytest.skip(f"{client} cannot be installed here: {error}")

    run_python(examples(DOCS / "how-to" / page, "python"), tmp_path, url=server.url, key=KEY, python=str(python))


class TestLinks:
    @pytest.mark.parametrize("page", sorted([ROOT / "README.md", *DOCS.rglob("*.md")]), ids=lambda page: page.name)
    def test_links_lead_to_pages_there_are(self, page: Path) -> None:
        targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text("utf-8"))

        assert [target for target in targets if not (page.parent / target).exists()] == []
