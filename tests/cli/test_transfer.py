"""`memcairn export` and `memcairn import` between two folders."""

import json
from pathlib import Path

import pytest

from memcairn import MemcairnClient

from .terminal import Cli

QUERY = "what does nora drink?"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with MemcairnClient.local(folder) as client:
        said = {"actor_id": "nora", "session_id": "s1", "kind": "user_message", "content": "I prefer tea to coffee."}
        client.ingest([said], wait=True)
    return folder


def texts(folder: Path) -> list[tuple[str, float]]:
    with MemcairnClient.local(folder) as client:
        return [(hit.text, hit.score) for hit in client.search(QUERY, actor_id="nora").hits]


@pytest.mark.parametrize("name", ["org.jsonl", "org.jsonl.gz"])
def test_another_server_answers_alike(cli: Cli, data_dir: Path, tmp_path: Path, name: str) -> None:
    before = texts(data_dir)

    written = cli("export", name, "--org", "default", "--data-dir", str(data_dir), "--json")
    read = cli("import", name, "--data-dir", "elsewhere", "--json")

    assert (written.exit_code, read.exit_code) == (0, 0)
    assert read.json()["rows"]["events"] == written.json()["rows"]["events"] == 1
    assert read.json()["embedded"] == 0
    assert before
    assert texts(tmp_path / "elsewhere") == before


def test_the_file_is_lines_of_json_that_only_the_owner_reads(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    cli("export", "org.jsonl", "--org", "default", "--data-dir", str(data_dir))

    lines = [json.loads(line) for line in (tmp_path / "org.jsonl").read_text("ascii").splitlines()]
    assert lines[0]["org_id"] == "default"
    assert lines[-1]["manifest"]["tables"]["events"]["rows"] == 1
    assert (tmp_path / "org.jsonl").stat().st_mode & 0o077 == 0


def test_keys_come_along_unless_they_are_left_out(cli: Cli, data_dir: Path) -> None:
    made = cli("keys", "create", "--org", "default", "--data-dir", str(data_dir), "--json").json()
    for name, options in (("with", ()), ("without", ("--no-keys",))):
        cli("export", f"{name}.jsonl", "--org", "default", "--data-dir", str(data_dir), *options)
        cli("import", f"{name}.jsonl", "--data-dir", name)

    listed = cli("keys", "list", "--data-dir", "with").out
    assert made["key_id"][:8] in listed
    assert made["key_id"][:8] not in cli("keys", "list", "--data-dir", "without").out


def test_a_second_import_is_refused_and_one_under_another_name_is_not(cli: Cli, data_dir: Path) -> None:
    cli("export", "org.jsonl", "--org", "default", "--data-dir", str(data_dir))

    again = cli("import", "org.jsonl", "--data-dir", str(data_dir), "--json")
    renamed = cli("import", "org.jsonl", "--data-dir", str(data_dir), "--as", "twin")

    assert (again.exit_code, again.error()["code"]) == (3, "org_not_empty")
    assert renamed.exit_code == 0
    assert "memcairn keys create --org twin" in renamed.out


def test_a_damaged_a_missing_and_a_present_file_are_named(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    cli("export", "org.jsonl.gz", "--org", "default", "--data-dir", str(data_dir))
    content = (tmp_path / "org.jsonl.gz").read_bytes()
    (tmp_path / "cut.jsonl.gz").write_bytes(content[:-40])
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 255
    (tmp_path / "changed.jsonl.gz").write_bytes(changed)

    for name in ("cut.jsonl.gz", "changed.jsonl.gz"):
        assert cli("import", name, "--data-dir", "elsewhere", "--json").error()["code"] == "export_damaged"
    assert cli("import", "none.jsonl", "--json").error()["code"] == "export_not_found"
    present = cli("export", "org.jsonl.gz", "--org", "default", "--data-dir", str(data_dir), "--json")
    assert (present.exit_code, present.error()["code"]) == (3, "file_exists")
    nobody = cli("export", "x.jsonl", "--org", "nobody", "--data-dir", str(data_dir), "--json")
    assert nobody.error()["code"] == "org_not_found"
    assert not (tmp_path / "x.jsonl").exists()
