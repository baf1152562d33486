"""The folder `memcairn eval` reads: conversations, and questions whose answering turns are known.

`docs.jsonl` holds one turn a line (`tenant`, `doc_id`, `session`, `text`, and if known `ts`, `role`, `speaker`),
`queries.jsonl` one question a line (`tenant`, `query`, `gold`, and if known `qid`, `type`, `ts`, `gold_corrected`).
Either may be compressed as `.jsonl.gz`. A question is asked within its own tenant.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from memcairn.cli.said_at import MomentReader
from memcairn.domain.errors import Invalid


@dataclass(frozen=True, slots=True)
class Turn:
    tenant: str
    doc_id: str
    session: str
    said_at: datetime | None
    role: str
    speaker: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """`gold` holds the ids of turns that exist in its tenant, at least one."""

    qid: str
    tenant: str
    type: str
    text: str
    gold: frozenset[str]
    asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class EvalSet:
    """`skipped` counts questions that name no turn of their tenant and so have nothing to be measured by."""

    name: str
    turns: Mapping[str, Sequence[Turn]]
    questions: Sequence[Question]
    skipped: int

    @property
    def turn_count(self) -> int:
        return sum(len(turns) for turns in self.turns.values())


def load_set(folder: Path, *, tenants: int | None = None, limit: int | None = None) -> EvalSet:
    """The set in `folder`, cut to its first `tenants` and to `limit` questions spread evenly over what is left.

    Invalid names the file, and the line of one that cannot be read.
    """
    moments = MomentReader()
    by_tenant: dict[str, list[Turn]] = {}
    for where, record in _records(folder, "docs"):
        turn = _turn(where, record, moments)
        by_tenant.setdefault(turn.tenant, []).append(turn)
    kept = dict(list(by_tenant.items())[:tenants])
    known = {tenant: {turn.doc_id for turn in turns} for tenant, turns in kept.items()}
    found = [_question(where, record, moments) for where, record in _records(folder, "queries")]
    asked = [question for question in found if question.tenant in kept]
    usable = [
        replace(question, gold=question.gold & known[question.tenant])
        for question in asked
        if question.gold & known[question.tenant]
    ]
    if not usable:
        raise Invalid(
            f"No question in {str(folder)!r} names a turn of its tenant. Check `gold` in queries.jsonl against "
            "`doc_id` in docs.jsonl.",
            code="no_questions",
        )
    return EvalSet(folder.resolve().name, kept, _spread(usable, limit), len(asked) - len(usable))


def _spread(questions: Sequence[Question], limit: int | None) -> Sequence[Question]:
    if limit is None or limit >= len(questions):
        return questions
    return [questions[number * len(questions) // limit] for number in range(limit)]


def _turn(where: str, record: Mapping[str, Any], moments: MomentReader) -> Turn:
    speaker = record.get("speaker")
    return Turn(
        tenant=_text(where, record, "tenant"),
        doc_id=_text(where, record, "doc_id"),
        session=_text(where, record, "session"),
        said_at=_moment(where, record, moments),
        role=str(record.get("role") or "user"),
        speaker=str(speaker) if speaker else None,
        text=_text(where, record, "text"),
    )


def _question(where: str, record: Mapping[str, Any], moments: MomentReader) -> Question:
    corrected = record.get("gold_corrected")
    gold = record.get("gold") or [] if corrected is None else corrected
    if not isinstance(gold, list):
        raise Invalid(f"{where}: `gold` must be a list of doc_ids.", code="invalid_set")
    return Question(
        qid=str(record.get("qid") or where),
        tenant=_text(where, record, "tenant"),
        type=str(record.get("type") or "question"),
        text=_text(where, record, "query"),
        gold=frozenset(str(doc_id) for doc_id in gold),
        asked_at=_moment(where, record, moments),
    )


def _moment(where: str, record: Mapping[str, Any], moments: MomentReader) -> datetime | None:
    written = record.get("ts")
    if written is None or written == "":
        return None
    try:
        return moments.read(str(written))
    except Invalid as error:
        raise Invalid(f"{where}: {error.message}", code=error.code) from None


def _text(where: str, record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if isinstance(value, str | int) and str(value).strip():
        return str(value)
    raise Invalid(f"{where}: `{name}` is missing or empty.", code="invalid_set")


def _records(folder: Path, stem: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each line of a file as an object, with the name of the file and the number of the line."""
    path = _file(folder, stem)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path.name}, line {number}"
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise Invalid(f"{where}: this is not JSON ({error.msg}).", code="invalid_set") from None
            if not isinstance(record, dict):
                raise Invalid(f"{where}: this is not a JSON object.", code="invalid_set")
            yield where, record


def _file(folder: Path, stem: str) -> Path:
    for name in (f"{stem}.jsonl.gz", f"{stem}.jsonl"):
        if (folder / name).is_file():
            return folder / name
    raise Invalid(
        f"There is no {stem}.jsonl or {stem}.jsonl.gz in {str(folder)!r}. Name a folder that holds docs.jsonl and "
        "queries.jsonl.",
        code="no_set",
    )
