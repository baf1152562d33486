"""Requests made up from the schema, for every scope of key: no crash, no status or body the schema does not know."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.faults.scale import times
from tests.faults.server_process import KEY, ServerProcess

SECONDS_PER_SCOPE = times(8, 600)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "use_after_free",
    "ignored_auth",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """One of its own for each scope: an admin may revoke every key there is."""
    process = ServerProcess(tmp_path / "data")
    process.start()
    yield process
    process.stop()


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["admin", "write", "read", None])
def test_what_the_schema_allows_and_what_it_forbids_is_answered_as_documented(
    server: ServerProcess, tmp_path: Path, scope: str | None, record_property: Any
) -> None:
    report = tmp_path / "report.json"
    headers = [] if scope is None else ["--header", f"Authorization: Bearer {_key_with(server, scope)}"]

    ran = subprocess.run(
        [
            *[sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", *headers],
            *["--checks", ",".join(CHECKS), "--max-time", str(SECONDS_PER_SCOPE), "--seed", "1"],
            *["--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure"],
            # What is not there is missing from a server nobody prepared; what is not open is what scopes are for.
            *["--warnings", "off", "--exclude-path", "/readyz", "--report-json-path", str(report)],
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    cases = json.loads(report.read_text())
    record_property("figure", f"API cases ({scope or 'no key'}): {_count(cases)} | failures: {ran.returncode}")
    assert ran.returncode == 0, ran.stdout[-20_000:]


def _key_with(server: ServerProcess, scope: str) -> str:
    """A key with this scope and those below it."""
    scopes = {"read": ["read"], "write": ["read", "write"], "admin": ["read", "write", "admin"]}[scope]
    made = httpx2.post(
        f"{server.url}/v1/keys", json={"name": scope, "scopes": scopes}, headers={"Authorization": f"Bearer {KEY}"}
    )
    made.raise_for_status()
    secret: str = made.json()["api_key"]
    return secret


def _count(report: dict[str, Any]) -> int:
    return int(report["test_cases"]["generated"])
