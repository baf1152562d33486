"""`memcairn migrate-db` between two files, and between a file and a Postgres."""

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from memcairn import MemcairnClient
from tests.postgres import PostgresServer

from .terminal import Cli


@pytest.fixture
def source(tmp_path: Path) -> str:
    folder = tmp_path / "data"
    with MemcairnClient.local(folder) as client:
        said = {"actor_id": "nora", "session_id": "s1", "kind": "user_message", "content": "I prefer tea to coffee."}
        client.ingest([said], wait=True)
    return f"sqlite:///{folder}/memory.db"


def texts(folder: Path) -> list[tuple[str, float]]:
    with MemcairnClient.local(folder) as client:
        return [(hit.text, round(hit.score, 5)) for hit in client.search("what does nora drink?", actor_id="nora").hits]


def test_another_file_answers_alike(cli: Cli, source: str, tmp_path: Path) -> None:
    before = texts(tmp_path / "data")

    answer = cli("migrate-db", source, f"sqlite:///{tmp_path}/copy/memory.db", "--json")

    assert answer.exit_code == 0
    assert answer.json()["rows"]["events"] == 1
    assert before
    assert texts(tmp_path / "copy") == before


@pytest.mark.postgres
def test_on_postgres_the_graph_of_vectors_is_there_before_a_server_starts(
    cli: Cli, source: str, postgres_server: PostgresServer
) -> None:
    target = postgres_server.empty()

    cli("migrate-db", source, target)

    with closing(psycopg.connect(target)) as connection:
        graphs = connection.execute("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%'").fetchall()
    assert len(graphs) == 1


@pytest.mark.postgres
def test_it_goes_to_postgres_and_back(cli: Cli, source: str, tmp_path: Path, postgres_server: PostgresServer) -> None:
    before = texts(tmp_path / "data")
    between = postgres_server.empty()

    there = cli("migrate-db", source, between)
    back = cli("migrate-db", between, f"sqlite:///{tmp_path}/back/memory.db")

    assert (there.exit_code, back.exit_code) == (0, 0)
    assert "equal on both sides" in there.out
    assert texts(tmp_path / "back") == before


def test_what_cannot_be_copied_is_named(cli: Cli, source: str, tmp_path: Path) -> None:
    full = f"sqlite:///{tmp_path}/full/memory.db"
    cli("orgs", "create", "acme", "--data-dir", "full")

    codes = [
        cli("migrate-db", *addresses, "--json").error()["code"]
        for addresses in (
            (source, full),
            (source, source),
            ("sqlite:///none.db", "sqlite:///copy.db"),
            ("mysql://me:secret@db.example/x", source),
        )
    ]

    assert codes == ["target_not_empty", "same_database", "database_not_found", "database_url"]
    assert "secret" not in cli("migrate-db", "mysql://me:secret@db.example/x", source).err
