"""`memcairn doctor` and `memcairn migrate`."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from memcairn.cli.listening import bound_socket
from memcairn.settings import Settings
from memcairn.store.migrate import head_revision

from .terminal import Answer, Cli


def checks(answer: Answer) -> dict[str, Any]:
    return {check["name"]: check for check in answer.json()["checks"]}


def settings(answer: Answer) -> dict[str, Any]:
    return {setting["name"]: setting for setting in answer.json()["settings"]}


def test_a_fresh_machine_is_well_and_nothing_is_made(cli: Cli, tmp_path: Path) -> None:
    answer = cli("doctor", "--json")

    assert answer.exit_code == 0
    assert answer.json()["ok"] is True
    assert checks(answer)["database"]["state"] == "note"
    assert checks(answer)["embedder"]["state"] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_database_in_use_is_described(cli: Cli) -> None:
    cli("orgs", "create", "acme")

    found = checks(cli("doctor", "--json"))

    assert found["database"]["state"] == "ok"
    assert f"revision {head_revision()}" in found["database"]["says"]
    assert found["access"]["says"] == "1 usable keys, 1 orgs"
    assert found["jobs"] == {"name": "jobs", "state": "ok", "says": "0 waiting, none dead"}


def test_every_setting_is_listed_with_where_it_comes_from(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMCAIRN_API_KEY", "very secret")
    monkeypatch.setenv("MEMCAIRN_CACHE_MB", "64")

    answer = cli("doctor", "--json", "--data-dir", "elsewhere")

    found = settings(answer)
    assert len(found) == len(Settings.model_fields)
    assert all(setting["about"] for setting in found.values())
    assert (found["MEMCAIRN_CACHE_MB"]["value"], found["MEMCAIRN_CACHE_MB"]["origin"]) == ("64", "environment")
    assert (found["MEMCAIRN_DATA_DIR"]["value"], found["MEMCAIRN_DATA_DIR"]["origin"]) == ("elsewhere", "command line")
    assert found["MEMCAIRN_PORT"]["origin"] == "default"
    assert "very secret" not in answer.out


def test_a_misspelt_variable_fails_and_the_settings_are_listed_all_the_same(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMCAIRN_DATADIR", "x")

    answer = cli("doctor", "--json")

    assert answer.exit_code == 1
    assert "MEMCAIRN_DATA_DIR" in checks(answer)["settings"]["says"]
    assert "MEMCAIRN_DATA_DIR" in settings(answer)


@pytest.mark.parametrize("revision", ["9999", None])
def test_a_database_of_another_revision_fails(cli: Cli, tmp_path: Path, revision: str | None) -> None:
    cli("migrate")
    with closing(sqlite3.connect(tmp_path / "memcairn-data" / "memory.db")) as connection:
        connection.execute("DELETE FROM alembic_version")
        if revision is not None:
            connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        connection.commit()

    answer = cli("doctor", "--json")

    assert answer.exit_code == 1
    assert checks(answer)["database"]["state"] == "failed"
    assert str(revision) in checks(answer)["database"]["says"]
    assert not {"access", "jobs"} & set(checks(answer))


def test_a_file_that_is_no_database_fails(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "memcairn-data").mkdir()
    (tmp_path / "memcairn-data" / "memory.db").write_text("a shopping list, long enough to be read as a header" * 50)

    diagnosed, migrated = cli("doctor", "--json"), cli("migrate")

    assert diagnosed.exit_code == 1
    assert "not a database" in checks(diagnosed)["database"]["says"]
    assert migrated.exit_code in (1, 2)
    assert "not a database" in migrated.err


def test_dead_jobs_fail_and_say_how_to_see_them(cli: Cli, tmp_path: Path) -> None:
    cli("migrate")
    with closing(sqlite3.connect(tmp_path / "memcairn-data" / "memory.db")) as connection:
        connection.execute(
            "INSERT INTO jobs (job_id, org_id, task, serial_key, payload, status, attempts, max_attempts, run_at,"
            " fencing_token, created_at, updated_at) VALUES ('j', 'acme', 'process_events', 'k', '{}', 'dead', 5, 5,"
            " '2026-01-01', 1, '2026-01-01', '2026-01-01')"
        )
        connection.commit()

    answer = cli("doctor", "--json")

    assert answer.exit_code == 1
    assert "1 jobs are dead" in checks(answer)["jobs"]["says"]


def test_a_port_in_use_is_only_noted_for_the_server_may_be_running(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        monkeypatch.setenv("MEMCAIRN_PORT", str(taken.getsockname()[1]))
        answer = cli("doctor", "--json")

    assert answer.exit_code == 0
    assert checks(answer)["port"]["state"] == "note"


def test_an_embedder_there_is_none_of_fails(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMCAIRN_EMBEDDER", "crystal-ball")

    answer = cli("doctor", "--json")

    assert answer.exit_code == 1
    assert "crystal-ball" in checks(answer)["embedder"]["says"]


def test_people_get_a_line_per_check(cli: Cli) -> None:
    out = cli("doctor").out

    assert "note llm" in out
    assert "MEMCAIRN_DATA_DIR" in out


def test_migrating_twice_does_nothing_the_second_time(cli: Cli) -> None:
    first, second = cli("migrate", "--json").json(), cli("migrate", "--json").json()

    assert first["revision"] == second["revision"] == head_revision()
    assert first["applied"][-1] == head_revision()
    assert second["applied"] == []
    assert "nothing to do" in cli("migrate").out
