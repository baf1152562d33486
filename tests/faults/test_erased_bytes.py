"""What was deleted or erased is searched for in every byte a server keeps, after it purged."""

import random
import string
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.faults.scale import times
from tests.faults.server_process import KEY, ServerProcess

pytestmark = pytest.mark.slow

SESSIONS = times(20, 400)
MESSAGES = 5


def test_no_byte_of_what_was_deleted_is_left_in_any_file(tmp_path: Path, record_property: Any) -> None:
    rng = random.Random(20_260_108)
    log = tmp_path / "log"
    server = ServerProcess(tmp_path / "data", {"MEMCAIRN_LOG_LEVEL": "debug"}, log=log)
    server.start()
    canaries = {number: "".join(rng.choices(string.ascii_lowercase, k=14)) for number in range(SESSIONS)}
    gone = set(range(0, SESSIONS, 2))
    try:
        with httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as client:
            for number, canary in canaries.items():
                client.post("/v1/users", json={"user_id": f"user {canary}"}).raise_for_status()
                new = {"session_id": f"session {canary}", "user_id": f"user {canary}", "metadata": {"note": canary}}
                client.post("/v1/sessions", json=new).raise_for_status()
                said = [{"role": "user", "content": f"I moved to {canary} street {n}."} for n in range(MESSAGES)]
                path = f"/v1/sessions/session%20{canary}/messages"
                once = {"Idempotency-Key": f"once {number}"}
                client.post(path, json={"messages": said}, headers=once).raise_for_status()
                client.post("/v1/search", json={"query": canary, "actor_id": f"user {canary}"}).raise_for_status()
            for number in gone:
                if number % 4:
                    client.delete(f"/v1/sessions/session%20{canaries[number]}").raise_for_status()
                client.delete(f"/v1/users/user%20{canaries[number]}").raise_for_status()
            purged = client.post("/v1/purge", json={})
            purged.raise_for_status()
            files = [*server.data_dir.iterdir(), log]
            written = {path.name: path.read_bytes().lower() for path in files}
    finally:
        server.stop()

    found = [
        f"{canaries[number]} in {name}"
        for number in gone
        for name, text in written.items()
        if canaries[number].encode() in text
    ]
    kept = [
        number for number in canaries if number not in gone and canaries[number].encode() in b"".join(written.values())
    ]
    size = sum(map(len, written.values())) / 2**20
    record_property("figure", f"erased: {len(gone)} people | searched: {size:.0f} MiB | bytes found: {len(found)}")
    assert purged.json()["wiped"] is True
    assert found == []
    assert len(kept) == SESSIONS - len(gone)
