"""`memcairn doctor --deep`, and `memcairn migrate --distribute` where it cannot be."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from memcairn import MemcairnClient

from .terminal import Answer, Cli


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with MemcairnClient.local(folder) as client:
        said = {"actor_id": "nora", "session_id": "s1", "kind": "user_message", "content": "I prefer tea to coffee."}
        client.ingest([said], wait=True)
    return folder


def checks(answer: Answer) -> dict[str, Any]:
    return {check["name"]: check for check in answer.json()["checks"]}


def test_a_database_in_order_passes_every_comparison(cli: Cli, data_dir: Path) -> None:
    answer = cli("doctor", "--deep", "--data-dir", str(data_dir), "--json")

    found = checks(answer)
    assert answer.exit_code == 0
    assert {found[name]["state"] for name in ("storage", "rows", "events", "index", "vectors", "tallies")} == {"ok"}


def test_a_changed_letter_is_found_and_named(cli: Cli, data_dir: Path) -> None:
    with closing(sqlite3.connect(data_dir / "memory.db")) as connection:
        connection.execute("UPDATE events SET content = 'I prefer tea to toffee.'")
        connection.commit()

    answer = cli("doctor", "--deep", "--data-dir", str(data_dir), "--json")

    assert answer.exit_code == 1
    assert checks(answer)["events"]["state"] == "failed"
    assert "Restore a backup" in checks(answer)["events"]["says"]


def test_a_torn_page_is_found(cli: Cli, data_dir: Path) -> None:
    path = data_dir / "memory.db"
    content = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        page_size = connection.execute("PRAGMA page_size").fetchone()[0]
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()[0]
    content[(root - 1) * page_size : root * page_size] = bytes(page_size)
    path.write_bytes(content)

    answer = cli("doctor", "--deep", "--data-dir", str(data_dir), "--json")

    assert answer.exit_code == 1
    assert checks(answer)["storage"]["state"] == "failed"


def test_without_a_database_there_is_nothing_deep(cli: Cli, tmp_path: Path) -> None:
    answer = cli("doctor", "--deep", "--json")

    assert answer.exit_code == 0
    assert "storage" not in checks(answer)
    assert list(tmp_path.iterdir()) == []


def test_a_sqlite_file_is_not_spread_over_a_cluster(cli: Cli) -> None:
    answer = cli("migrate", "--distribute", "--json")

    assert (answer.exit_code, answer.error()["code"]) == (3, "no_citus")
    assert "migrate-db" in answer.error()["message"]
