"""`memcairn serve` and `memcairn worker` as a person runs them: processes, ports and signals."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memcairn.cli.listening import bound_socket

from .terminal import Answer, Cli, finish, ready, start

pytestmark = pytest.mark.slow  # each of the first tests starts processes

STOP_SECONDS = 10
CHOSEN_KEY = "a key of my own choice"


@contextmanager
def serving(cwd: Path, *arguments: str, **variables: str) -> Iterator[tuple[Any, "list[Answer]"]]:
    """A server that is ready and what it said; it is told to stop at the end, and its last words join the list."""
    process = start("serve", "--port", "0", "--json", *arguments, cwd=cwd, **variables)
    ended: list[Answer] = []
    try:
        yield ready(process), ended
        process.send_signal(signal.SIGTERM)
        ended.append(finish(process, within_seconds=STOP_SECONDS))
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def run(*arguments: str, cwd: Path, **variables: str) -> Answer:
    return finish(start(*arguments, cwd=cwd, **variables))


def client(said: Any, key: str) -> httpx2.Client:
    return httpx2.Client(base_url=said["url"], headers={"Authorization": f"Bearer {key}"}, timeout=20)


def event(content: str) -> dict[str, str]:
    return {"actor_id": "ada", "session_id": "s", "kind": "user_message", "content": content}


def job_states(data_dir: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(data_dir / "memory.db")) as connection:
        return connection.execute("SELECT status, attempts FROM jobs").fetchall()


def test_it_serves_what_was_said_and_stops_in_order_when_told(tmp_path: Path) -> None:
    with serving(tmp_path) as (said, ended), client(said, said["api_key"]) as http:
        accepted = http.post("/v1/events?wait=true", json={"events": [event("I moved to Ghent last week.")]})
        found = http.post("/v1/search", json={"query": "Where does Ada live?"})
        docs = http.get("/docs")

    assert accepted.status_code == 202
    assert "Ghent" in found.json()["hits"][0]["text"]
    assert docs.status_code == 200
    assert said["docs"] == f"{said['url']}/docs"
    assert said["database"] == "memcairn-data/memory.db"
    assert (said["llm"], said["embedder"], said["worker"]) == (None, "static", True)
    (answer,) = ended
    assert answer.exit_code == 0
    assert answer.out == ""
    assert "Ghent" not in answer.err
    assert "Traceback" not in answer.err


def test_the_key_is_made_once_and_from_then_on_a_network_may_be_served(tmp_path: Path) -> None:
    refused = run("serve", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path)
    with serving(tmp_path) as (first, _):
        pass

    with serving(tmp_path, "--host", "0.0.0.0") as (second, _), client(second, first["api_key"]) as http:
        answer = http.get("/v1/memories")

    assert refused.exit_code == 3
    assert "memcairn orgs create" in refused.err
    assert "MEMCAIRN_API_KEY" in refused.err
    assert "api_key" not in second
    assert second["host"] == "0.0.0.0"
    assert answer.status_code == 200


def test_the_banner_for_people_is_on_standard_error(tmp_path: Path) -> None:
    process = start("serve", "--port", "0", "--no-worker", cwd=tmp_path)
    assert process.stderr is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith("Ready."):
        lines.append(process.stderr.readline())
        assert lines[-1], "the server ended before it was ready"
    process.send_signal(signal.SIGINT)
    answer = finish(process, within_seconds=STOP_SECONDS)

    banner = "".join(lines)
    assert "http://127.0.0.1:" in banner
    assert "/docs" in banner
    assert "mc_" in banner
    assert "no LLM" in banner
    assert "memcairn worker" in banner
    assert (answer.exit_code, answer.out) == (0, "")


def test_a_worker_of_its_own_does_what_a_server_with_a_key_of_our_choice_left_to_it(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--no-worker", MEMCAIRN_API_KEY=CHOSEN_KEY) as (said, _),
        client(said, CHOSEN_KEY) as http,
    ):
        (event_id,) = http.post("/v1/events", json={"events": [event("I prefer tea to coffee.")]}).json()["event_ids"]
        waiting = http.post("/v1/events/status", json={"event_ids": [event_id]}).json()["events"][0]["status"]
        worker = start("worker", "--json", cwd=tmp_path)
        ready(worker)
        status = waiting
        while status == "pending":
            status = http.post("/v1/events/status", json={"event_ids": [event_id]}).json()["events"][0]["status"]
        worker.send_signal(signal.SIGTERM)
        ended = finish(worker, within_seconds=STOP_SECONDS)

    assert "api_key" not in said
    assert (waiting, status) == ("pending", "completed")
    assert ended.exit_code == 0
    assert "tea" not in ended.err


def test_stopping_in_the_middle_of_the_work_leaves_no_job_behind_in_somebodys_hands(tmp_path: Path) -> None:
    with serving(tmp_path) as (said, ended), client(said, said["api_key"]) as http:
        for number in range(3):
            batch = [event(f"On day {day} of round {number} I walked to the mill.") for day in range(1_000)]
            assert http.post("/v1/events", json={"events": batch}).status_code == 202

    assert ended[0].exit_code == 0
    assert {status for status, _attempts in job_states(tmp_path / "memcairn-data")} <= {"queued"}


def test_a_port_in_use_is_one_sentence_with_a_free_one(tmp_path: Path) -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        answer = run("serve", "--port", port, cwd=tmp_path)

    assert answer.exit_code == 1
    assert answer.err.startswith(f"memcairn: The port {port} of 127.0.0.1 is in use.")
    assert "--port" in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_data_folder_that_cannot_be_made_is_one_sentence(cli: Cli) -> None:
    Path("file").write_text("not a folder")

    answer = cli("migrate", "--data-dir", "file/data")

    assert answer.exit_code == 2
    assert answer.err.startswith("memcairn: The data folder 'file/data' cannot be made")
    assert "--data-dir" in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("command", ["serve", "worker", "demo", "migrate"])
def test_an_unknown_variable_is_one_sentence_with_the_nearest_known(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("MEMCAIRN_PROT", "9000")

    answer = cli(command)

    assert answer.exit_code == 2
    assert answer.err == (
        "memcairn: The environment variable MEMCAIRN_PROT is not a setting of Memcairn. Did you mean MEMCAIRN_PORT?\n"
    )


def test_a_setting_out_of_range_names_its_variable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMCAIRN_CACHE_MB", "1")

    answer = cli("serve")

    assert answer.exit_code == 2
    assert "MEMCAIRN_CACHE_MB" in answer.err


def test_a_database_of_a_newer_program_is_refused_with_the_way_to_upgrade(cli: Cli, tmp_path: Path) -> None:
    cli("migrate")
    with closing(sqlite3.connect(tmp_path / "memcairn-data" / "memory.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    serve, migrate = run("serve", "--port", "0", cwd=tmp_path), cli("migrate")

    assert serve == migrate
    assert serve.exit_code == 3
    assert "'9999'" in serve.err
    assert "pip install -U" in serve.err
    assert len(serve.err.splitlines()) == 1
