"""A server that would stand open does not start, or says loudly what is open."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memcairn.assembly import is_open_to_others
from tests.faults.server_process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="the rights are those of POSIX")]


@pytest.fixture(autouse=True)
def _nothing_masked() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def memcairn(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MEMCAIRN_")}
    command = [sys.executable, "-m", "memcairn", *arguments, "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)


def test_without_a_key_no_network_is_served(tmp_path: Path) -> None:
    ran = memcairn("serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path / "data"))

    assert (ran.returncode, ran.stdout) == (3, "")
    assert "no_key" in ran.stderr


def test_what_is_made_is_its_owner_s_alone_while_it_is_served_and_afterwards(tmp_path: Path) -> None:
    process = ServerProcess(tmp_path / "data")
    process.start()
    served = {path.name: rights(path) for path in process.data_dir.iterdir()}
    process.stop()

    assert rights(process.data_dir) == 0o700
    assert {"memory.db", "memory.db-wal", "memory.db-shm"} <= set(served)
    assert set(served.values()) == {0o600}
    assert rights(process.data_dir / "memory.db") == 0o600


def test_a_database_others_can_read_is_named_by_the_server_and_by_doctor(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = ServerProcess(tmp_path / "data", log=log)
    process.start()
    process.stop()
    process.data_dir.chmod(0o755)
    (process.data_dir / "memory.db").chmod(0o644)

    process.start()
    process.stop()
    looked = json.loads(memcairn("doctor", "--data-dir", str(process.data_dir)).stdout)

    [privacy] = [check for check in looked["checks"] if check["name"] == "privacy"]
    assert (privacy["state"], "chmod" in privacy["says"]) == ("note", True)
    assert log.read_text().count("Other users of this machine can read") == 1


@pytest.mark.parametrize(
    ("folder", "file", "is_open"),
    [
        (0o755, 0o600, False),
        (0o700, 0o644, False),
        (0o755, 0o644, True),
        (0o710, 0o640, True),
        (0o750, 0o604, False),
        (0o711, 0o604, True),
    ],
)
def test_a_file_is_open_when_its_rights_and_its_folder_let_others_in(
    tmp_path: Path, folder: int, file: int, is_open: bool
) -> None:
    path = tmp_path / "data" / "memory.db"
    path.parent.mkdir()
    path.touch()
    path.chmod(file)
    path.parent.chmod(folder)

    assert is_open_to_others(path) is is_open


def test_no_two_servers_start_with_the_same_key(tmp_path: Path) -> None:
    answers = [memcairn("orgs", "create", "acme", "--data-dir", str(tmp_path / name)) for name in "ab"]
    made = [json.loads(answer.stdout) for answer in answers]

    assert made[0]["api_key"] != made[1]["api_key"]
