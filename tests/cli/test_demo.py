"""`memcairn demo`: the main job, end to end, without a trace."""

import tempfile
from pathlib import Path

import pytest

from .terminal import Cli


@pytest.fixture(autouse=True)
def _own_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def test_it_answers_its_questions_from_what_was_said(cli: Cli) -> None:
    shown = cli("demo", "--json").json()

    best = {asked["question"]: asked["hits"][0] for asked in shown["questions"]}
    assert best["Where does Nora live now?"]["text"] == "Nora lives in Ghent"
    assert "hazelnuts" in best["What is Nora allergic to?"]["text"]
    assert "14 May" in best["When is the map workshop?"]["text"]
    assert "side door" in best["How do we enter the library after six?"]["text"]
    assert "Biscuit" in best["What is Sam's dog called?"]["text"]
    assert best["Where does Nora live now?"]["by"] == "Nora, 2026-06-08"


def test_a_correction_ends_what_was_known_before_and_a_repetition_adds_nothing(cli: Cli) -> None:
    memories = cli("demo", "--json").json()["memories"]

    until = {memory["text"]: memory["valid_to"] for memory in memories}
    assert until["Nora lives in Bergen"] is not None
    assert until["Nora lives in Ghent"] is None
    assert [memory["text"] for memory in memories].count("Nora prefers tea to coffee") == 1


def test_people_see_what_went_in_what_was_kept_and_how_long_it_took(cli: Cli) -> None:
    answer = cli("demo")

    assert answer.exit_code == 0
    for words in ("no LLM", "static word embedding", "I'm allergic to hazelnuts", "decision", "Sam, 2026-03-20", " ms"):
        assert words in answer.out


def test_nothing_is_left_behind_and_the_configured_database_is_not_touched(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/mine.db")

    answer = cli("demo")

    assert answer.exit_code == 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["temporary"]
