"""`memcairn reindex` on a real database."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from memcairn import MemcairnClient

from .terminal import Cli


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with MemcairnClient.local(folder) as client:
        said = {"actor_id": "nora", "session_id": "s1", "kind": "user_message", "content": "I prefer tea to coffee."}
        client.ingest([said], wait=True)
    return folder


def test_a_lost_index_is_found_and_made_again(cli: Cli, data_dir: Path) -> None:
    with closing(sqlite3.connect(data_dir / "memory.db")) as connection:
        connection.execute("DROP TABLE memory_words")
        connection.execute("DELETE FROM index_rows")
        connection.commit()

    first = cli("reindex", "--data-dir", str(data_dir), "--json").json()
    second = cli("reindex", "--data-dir", str(data_dir), "--json").json()

    assert (first["word_index_mended"], first["mended"]) == (True, first["checked"])
    assert (second["word_index_mended"], second["mended"], second["checked"]) == (False, 0, first["checked"])
    with MemcairnClient.local(data_dir) as client:
        assert "tea" in client.search("what does nora drink?", actor_id="nora").hits[0].text


def test_everything_of_one_org_is_made_anew(cli: Cli, data_dir: Path) -> None:
    done = cli("reindex", "--data-dir", str(data_dir), "--org", "default", "--all", "--json").json()

    assert done["mended"] == done["checked"] > 0
    assert "memories checked" in cli("reindex", "--data-dir", str(data_dir)).out


def test_an_org_nobody_made_is_not_found(cli: Cli, data_dir: Path) -> None:
    answer = cli("reindex", "--data-dir", str(data_dir), "--org", "nobody", "--json")

    assert (answer.exit_code, answer.error()["code"]) == (3, "org_not_found")
