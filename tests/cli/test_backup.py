"""`memcairn backup` and `memcairn restore`."""

import subprocess
from pathlib import Path

import pytest

from memcairn import MemcairnClient
from memcairn.store.schema import metadata

from .terminal import Cli


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A database with one conversation."""
    folder = tmp_path / "data"
    with MemcairnClient.local(folder) as client:
        said = {"actor_id": "nora", "session_id": "s1", "kind": "user_message", "content": "I prefer tea to coffee."}
        client.ingest([said], wait=True)
    return folder


def answers(folder: Path, query: str) -> list[tuple[str, str, float]]:
    with MemcairnClient.local(folder) as client:
        return [(hit.source_event_ids[0], hit.text, hit.score) for hit in client.search(query, actor_id="nora").hits]


def test_a_restored_server_answers_alike(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    before = answers(data_dir, "what does nora drink?")

    made = cli("backup", "copy.db", "--data-dir", str(data_dir), "--json")
    placed = cli("restore", "copy.db", "--data-dir", "elsewhere", "--json")

    assert (made.exit_code, placed.exit_code) == (0, 0)
    assert placed.json()["digest_checked"] is True
    assert placed.json()["sha256"] == made.json()["sha256"]
    assert before
    assert answers(tmp_path / "elsewhere", "what does nora drink?") == before


def test_every_table_is_covered(cli: Cli, data_dir: Path) -> None:
    made = cli("backup", "copy.db", "--data-dir", str(data_dir), "--json").json()

    assert made["rows"].keys() == metadata.tables.keys()
    assert made["rows"]["events"] == 1


def test_the_digest_is_one_that_sha256sum_reads(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    cli("backup", "copy.db", "--data-dir", str(data_dir))

    checked = subprocess.run(["sha256sum", "-c", "copy.db.sha256"], cwd=tmp_path, check=False)

    assert checked.returncode == 0


def test_only_the_owner_may_read_it(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    cli("backup", "copy.db", "--data-dir", str(data_dir))

    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "copy.db.sha256", "data"]


def test_a_file_that_is_there_is_left_alone(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")

    answer = cli("backup", "copy.db", "--data-dir", str(data_dir), "--json")

    assert (answer.exit_code, answer.error()["code"]) == (3, "file_exists")
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_a_database_that_is_there_is_left_alone(cli: Cli, data_dir: Path) -> None:
    cli("backup", "copy.db", "--data-dir", str(data_dir))
    before = (data_dir / "memory.db").read_bytes()

    answer = cli("restore", "copy.db", "--data-dir", str(data_dir), "--json")

    assert (answer.exit_code, answer.error()["code"]) == (3, "database_exists")
    assert (data_dir / "memory.db").read_bytes() == before


def test_the_log_of_a_lost_database_is_not_mixed_into_another(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    cli("backup", "copy.db", "--data-dir", str(data_dir))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "memory.db-wal").write_bytes(b"of another time")

    answer = cli("restore", "copy.db", "--data-dir", "elsewhere", "--json")

    assert answer.error()["code"] == "database_exists"


def test_a_single_flipped_byte_is_refused(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    cli("backup", "copy.db", "--data-dir", str(data_dir))
    content = bytearray((tmp_path / "copy.db").read_bytes())
    content[content.index(b"coffee")] ^= 1
    (tmp_path / "copy.db").write_bytes(content)

    answer = cli("restore", "copy.db", "--data-dir", "elsewhere", "--json")

    assert (answer.exit_code, answer.error()["code"]) == (2, "backup_damaged")
    assert not (tmp_path / "elsewhere" / "memory.db").exists()


def test_without_its_digest_a_torn_backup_is_refused_all_the_same(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    cli("backup", "copy.db", "--data-dir", str(data_dir))
    (tmp_path / "copy.db.sha256").unlink()
    content = (tmp_path / "copy.db").read_bytes()
    (tmp_path / "copy.db").write_bytes(content[: len(content) // 2])

    answer = cli("restore", "copy.db", "--data-dir", "elsewhere", "--json")

    assert answer.error()["code"] == "backup_damaged"


def test_without_its_digest_a_whole_backup_is_restored_with_a_word_about_it(
    cli: Cli, data_dir: Path, tmp_path: Path
) -> None:
    cli("backup", "copy.db", "--data-dir", str(data_dir))
    (tmp_path / "copy.db.sha256").unlink()

    assert "doctor --deep" in cli("restore", "copy.db", "--data-dir", "elsewhere").out


@pytest.mark.parametrize("content", [b"", b"a shopping list"])
def test_a_file_that_is_no_backup_is_refused(cli: Cli, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "copy.db").write_bytes(content)

    answer = cli("restore", "copy.db", "--json")

    assert answer.error()["code"] in ("not_a_backup", "backup_damaged")


def test_a_missing_database_a_missing_backup_and_a_missing_folder_are_named(cli: Cli, data_dir: Path) -> None:
    assert cli("backup", "copy.db", "--json").error()["code"] == "database_not_found"
    assert cli("restore", "copy.db", "--json").error()["code"] == "backup_not_found"
    assert cli("backup", "no/copy.db", "--data-dir", str(data_dir), "--json").error()["code"] == "folder_not_found"


def test_on_postgres_the_line_that_does_it_is_given_without_the_password(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@db.example/memories")

    made, placed = cli("backup", "copy.dump", "--json").error(), cli("restore", "copy.dump", "--json").error()

    assert made["code"] == placed["code"] == "not_sqlite"
    assert "pg_dump --format=custom --file=copy.dump postgresql://me@db.example/memories" in made["message"]
    assert "pg_restore" in placed["message"]
    assert "secret" not in made["message"] + placed["message"]
