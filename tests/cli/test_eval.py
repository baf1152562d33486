"""`memcairn eval` on a small set written here."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from memcairn.cli.eval_run import events_of
from memcairn.cli.eval_set import Turn, load_set
from memcairn.domain.errors import Invalid
from memcairn.domain.events import MAX_CONTENT_CHARS, EventKind
from tests.postgres import PostgresServer

from .terminal import Cli

GARDEN = [
    ("g1", "Ilse", "The pear tree by the gate lost a branch in the storm."),
    ("g2", "Otto", "I will bring the long ladder on Saturday."),
    ("g3", "Ilse", "The beehives stand behind the greenhouse now."),
    ("g4", "Otto", "Did the frost reach the tomatoes?"),
]
BOAT = [
    ("b1", "Pia", "The ferry to the island leaves at seven from pier nine."),
    ("b2", "Max", "My kayak needs a new paddle."),
]


def turn(tenant: str, doc_id: str, speaker: str, text: str) -> dict[str, str]:
    return {
        "tenant": tenant,
        "doc_id": doc_id,
        "session": "one",
        "ts": "2:05 pm on 3 March, 2021",
        "role": "user",
        "speaker": speaker,
        "text": text,
    }


def question(tenant: str, query: str, gold: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"tenant": tenant, "type": "plain", "query": query, "gold": list(gold)} | more


TURNS = [turn("garden", *each) for each in GARDEN] + [turn("boat", *each) for each in BOAT]
QUESTIONS = [
    question("garden", "Where are the beehives?", ["g3"]),
    question("garden", "What happened to the pear tree?", ["g2"], gold_corrected=["g1"], type="detail"),
    question("boat", "When does the ferry leave?", ["b1", "b9"]),
    question("boat", "What colour is the submarine?", ["b2"], type="adversarial"),
    question("boat", "Who paints?", []),
]


def write_set(folder: Path, turns: Sequence[object] = TURNS, questions: Sequence[object] = QUESTIONS) -> Path:
    folder.mkdir(exist_ok=True)
    with gzip.open(folder / "docs.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(each) + "\n" for each in turns)
    (folder / "queries.jsonl").write_text("".join(json.dumps(each) + "\n" for each in questions), encoding="utf-8")
    return folder


def test_the_report_counts_what_was_found(cli: Cli, tmp_path: Path) -> None:
    report = cli("eval", str(write_set(tmp_path / "small")), "--json").json()

    assert (report["set"], report["tenants"], report["events"]) == ("small", 2, 6)
    assert (report["events_unprocessed"], report["questions_skipped"]) == (0, 1)
    assert report["total"]["questions"] == 3
    assert report["total"]["recall@10"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert set(report["by_type"]) == {"plain", "detail"}
    assert report["apart"]["adversarial"]["questions"] == 1
    assert report["events_per_second"]["accepted"] > 0
    assert 0 < report["search_ms"]["p50"] <= report["search_ms"]["p95"]


def test_people_get_a_table_and_progress_beside_it(cli: Cli, tmp_path: Path) -> None:
    answer = cli("eval", str(write_set(tmp_path / "small")))

    assert answer.exit_code == 0
    for words in ("recall@10", "all", "detail", "(adversarial)", "1 questions name no turn", "events/s"):
        assert words in answer.out
    assert "search" in answer.err


def test_it_can_ask_less(cli: Cli, tmp_path: Path) -> None:
    folder = str(write_set(tmp_path / "small"))

    fewer_questions = cli("eval", folder, "--json", "--limit", "1").json()
    fewer_tenants = cli("eval", folder, "--json", "--tenants", "1").json()

    assert (fewer_questions["total"]["questions"], fewer_questions["events"]) == (1, 6)
    assert (fewer_tenants["tenants"], fewer_tenants["events"], fewer_tenants["total"]["questions"]) == (1, 4, 2)


def test_nothing_is_left_behind(cli: Cli, tmp_path: Path) -> None:
    cli("eval", str(write_set(tmp_path / "small")), "--json")

    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_the_corrected_gold_counts_and_unknown_ids_are_dropped(tmp_path: Path) -> None:
    chosen = load_set(write_set(tmp_path / "small"))

    assert [question.gold for question in chosen.questions[:3]] == [{"g3"}, {"g1"}, {"b1"}]


def test_questions_are_spread_over_the_set(tmp_path: Path) -> None:
    many = [question("garden", f"Question {number}?", ["g1"], qid=str(number)) for number in range(10)]

    chosen = load_set(write_set(tmp_path / "small", questions=many), limit=4)

    assert [question.qid for question in chosen.questions] == ["0", "2", "5", "7"]


@pytest.mark.parametrize(
    ("turns", "questions", "says"),
    [
        ([[1]], QUESTIONS, r"docs.jsonl.gz, line 1: this is not a JSON object"),
        ([TURNS[0] | {"text": " "}], QUESTIONS, r"docs.jsonl.gz, line 1: `text` is missing or empty"),
        ([TURNS[0] | {"ts": "soon"}], QUESTIONS, r"docs.jsonl.gz, line 1: The time 'soon' cannot be read"),
        (TURNS, [QUESTIONS[0], {"tenant": "boat"}], r"queries.jsonl, line 2: `query` is missing"),
        (TURNS, [QUESTIONS[0] | {"gold": "g3"}], r"queries.jsonl, line 1: `gold` must be a list"),
        (TURNS, [QUESTIONS[4]], r"No question in .* names a turn"),
    ],
)
def test_a_set_that_cannot_be_read_names_the_line(
    tmp_path: Path, turns: Sequence[object], questions: Sequence[object], says: str
) -> None:
    folder = write_set(tmp_path / "small", turns, questions)

    with pytest.raises(Invalid, match=says):
        load_set(folder)


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "small")
    (folder / "queries.jsonl").write_text("\n{broken\n", encoding="utf-8")

    with pytest.raises(Invalid, match=r"queries.jsonl, line 2: this is not JSON"):
        load_set(folder)


def test_a_folder_without_a_set_says_what_belongs_there(cli: Cli, tmp_path: Path) -> None:
    answer = cli("eval", str(tmp_path))

    assert answer.exit_code == 2
    assert "docs.jsonl" in answer.err


def test_a_turn_longer_than_an_event_may_be_becomes_several_with_one_source() -> None:
    long = Turn("t", "d1", "s", None, "assistant", "Bot", "x" * (MAX_CONTENT_CHARS + 1))

    first, second = events_of(long)

    assert first.event_id == "d1"
    assert second.event_id is not None
    assert second.event_id.startswith("d1\x1f")
    assert [len(event.content) for event in (first, second)] == [MAX_CONTENT_CHARS, 1]
    assert first.kind is EventKind.ASSISTANT_MESSAGE


@pytest.mark.postgres
def test_on_postgres_the_figures_are_the_same_and_the_database_is_empty_again(
    cli: Cli, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    folder, url = str(write_set(tmp_path / "small")), postgres_server.empty()

    on_file = cli("eval", folder, "--json").json()
    first, second = [cli("eval", folder, "--database", url, "--json").json() for _ in range(2)]

    assert first["total"] == second["total"] == on_file["total"]
    assert first["by_type"] == on_file["by_type"]


@pytest.mark.postgres
def test_a_database_with_something_in_it_is_not_measured_on(
    cli: Cli, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    answer = cli("eval", str(write_set(tmp_path / "small")), "--database", postgres_server.migrated(), "--json")

    assert answer.error()["code"] == "target_not_empty"


def test_only_postgres_can_be_named(cli: Cli, tmp_path: Path) -> None:
    answer = cli("eval", str(write_set(tmp_path / "small")), "--database", "mysql://there/x", "--json")

    assert answer.error()["code"] == "database_url"
