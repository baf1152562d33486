"""`memcairn reembed`, `doctor` and `/readyz` after another embedder was chosen."""

import json
from pathlib import Path

import pytest

from memcairn import MemcairnClient
from tests.providers.tiny_models import model_folder

from .terminal import Cli


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A database with vectors of the static embedder."""
    folder = tmp_path / "data"
    with MemcairnClient.local(folder) as client:
        said = {"actor_id": "ann", "session_id": "s1", "kind": "user_message"}
        texts = ("I moved to Lisbon.", "We drink green tea.", "The cat sleeps on a sofa.")
        client.ingest([said | {"content": text} for text in texts], wait=True)
    return folder


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another embedder is in force; returns the beginning of its name."""
    monkeypatch.setenv("MEMCAIRN_EMBEDDER", f"fastembed:{model_folder(tmp_path / 'tiny')}")
    return "fastembed:tiny:"


def test_it_brings_every_vector_to_the_embedder_of_the_settings(cli: Cli, data_dir: Path, other: str) -> None:
    report = cli("reembed", "--data-dir", str(data_dir), "--json").json()

    assert report["model"].startswith(other)
    assert report["segments"] >= 3
    assert report["words_only"] == 0


def test_doing_it_again_changes_nothing(cli: Cli, data_dir: Path, other: str) -> None:
    first = cli("reembed", "--data-dir", str(data_dir), "--json").json()

    assert cli("reembed", "--data-dir", str(data_dir), "--json").json() == first
    assert "have a vector of fastembed:tiny:" in cli("reembed", "--data-dir", str(data_dir)).out


def test_an_org_nobody_made_is_not_found(cli: Cli, data_dir: Path) -> None:
    answer = cli("reembed", "--data-dir", str(data_dir), "--org", "nobody", "--json")

    assert (answer.exit_code, answer.error()["code"]) == (3, "org_not_found")


def test_doctor_counts_what_waits_until_it_is_done(cli: Cli, data_dir: Path, other: str) -> None:
    def embedder() -> dict[str, str]:
        checks = json.loads(cli("doctor", "--data-dir", str(data_dir), "--json").out)["checks"]
        found: dict[str, str] = next(check for check in checks if check["name"] == "embedder")
        return found

    before = embedder()
    cli("reembed", "--data-dir", str(data_dir))

    assert before["state"] == "note"
    assert "memcairn reembed" in before["says"]
    assert embedder()["state"] == "ok"


def test_a_server_takes_it_up_by_itself(data_dir: Path, other: str) -> None:
    with MemcairnClient.local(data_dir) as client:
        said = {"actor_id": "ann", "session_id": "s1", "kind": "user_message"}
        client.ingest([said | {"content": "Rain in the night."}], wait=True)
        hits = client.search("green tea", actor_id="ann").hits

    assert hits[0].text == "We drink green tea."
