"""`memcairn purge` on a real database."""

from datetime import timedelta
from pathlib import Path

import pytest

from memcairn import MemcairnClient
from memcairn.cli.purging import span
from memcairn.domain.errors import Invalid

from .terminal import Cli


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A database with one deleted session."""
    folder = tmp_path / "data"
    with MemcairnClient.local(folder) as client:
        client.messages.add("s1", [{"role": "user", "content": "The xylophone plays at noon."}])
        client.sessions.delete("s1")
    return folder


def test_it_removes_what_was_deleted_and_says_how_much(cli: Cli, data_dir: Path) -> None:
    report = cli("purge", "--data-dir", str(data_dir), "--json").json()

    assert (report["counts"]["events"], report["counts"]["sessions"], report["wiped"]) == (1, 1, True)
    assert [file for file in data_dir.iterdir() if b"xylophone" in file.read_bytes()] == []
    assert cli("purge", "--data-dir", str(data_dir)).out == "There was nothing to remove.\n"


def test_people_read_it_in_a_sentence(cli: Cli, data_dir: Path) -> None:
    answer = cli("purge", "--data-dir", str(data_dir))

    assert answer.out.startswith("Removed ")
    assert "1 events" in answer.out


def test_what_was_deleted_lately_can_be_left(cli: Cli, data_dir: Path) -> None:
    report = cli("purge", "--data-dir", str(data_dir), "--older-than", "2h", "--json").json()

    assert report["counts"] == {}


def test_an_org_nobody_made_is_not_found(cli: Cli, data_dir: Path) -> None:
    answer = cli("purge", "--data-dir", str(data_dir), "--org", "nobody", "--json")

    assert (answer.exit_code, answer.error()["code"]) == (3, "org_not_found")


@pytest.mark.parametrize(
    ("text", "meant"), [("0h", timedelta(0)), ("12h", timedelta(hours=12)), ("8w", timedelta(weeks=8))]
)
def test_a_span_is_read(text: str, meant: timedelta) -> None:
    assert span(text) == meant


@pytest.mark.parametrize("text", ["", "h", "12", "-1h", "1.5d", "a week"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        span(text)
