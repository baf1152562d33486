"""Fits the weights of ranking on conversations with questions, and says what they are worth on conversations held back.

    python benchmarks/fit_weights.py DATA_FOLDER [--write] [--seed 7] [--steps 120] [--only-calibration]

DATA_FOLDER holds one folder per set, each with `docs.jsonl.gz` and `queries.jsonl.gz`. What is raised is a smooth form
of recall@5, @10 and @20 of the gold turns, by gradient, starting from and drawn back to plain values, with the sign of
every signal fixed beforehand. Two kinds of held-back figures decide: by conversation (folds that share no conversation)
and by set (fitted on the other sets, tried on this one). The shipped weights are then fitted on everything. The
calibration of scores is fitted last, on scopes of three rows to whole conversations, with and without an answer.
"""

import argparse
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import wordllama
from numpy.typing import NDArray

from memcairn.core.kin import kin_of
from memcairn.domain.events import EventKind
from memcairn.domain.pool import Pool
from memcairn.domain.query import understand
from memcairn.domain.ranking import WITNESSES, chance_level, rank, second_look
from memcairn.domain.signals import Evidence, RankQuery, gather
from memcairn.domain.weights import SIGNALS, Calibration, Logit, Weights
from memcairn.providers.static import StaticEmbedder
from memcairn.providers.thesaurus import StaticThesaurus
from memcairn.store.index.analysis import analyse, analyse_query, segments, term_ids, traits_of

Floats = NDArray[np.float32]

WEIGHTS_FILE = Path(__file__).parents[1] / "src" / "memcairn" / "domain" / "weights.json"
TIME_FORMS = ("%I:%M %p on %d %B, %Y", "%d.%m.%Y, %H:%M:%S", "%Y/%m/%d (%a) %H:%M", "%B-%d-%Y")
MAX_CHARS = 32_000

START = {
    "words": 0.75, "words_near": 0.2, "words_around": 0.4,
    "kin": 0.15, "kin_near": 0.1,
    "meaning": 0.5, "meaning_whole": 0.1, "meaning_near": 0.15, "meaning_around": 0.2,
    "speaker": 0.8, "date": 0.4, "afterwards": 0.1, "latest": 0.1, "told": 0.3, "people": 0.5, "standing": 0.2,
    "asks": -0.15, "short": -0.15, "dated": 0.05, "personal": 0.05, "remark": -0.05, "head": 0.15, "opening": 0.15,
    "when": 0.1, "how_many": 0.1, "list": 0.05, "typed": 0.2, "outdated": -0.5,
    "former": 0.6, "replaced": -1.0,
    "session": 0.2, "after": 0.1, "reply": 0.2,
}  # fmt: skip
NOT_FITTED = ("words", "typed", "outdated", "former", "replaced")
"""The scale of all the others, and what no set here can tell."""
MOST = 1.2
"""No signal may weigh more: past it, evidence turns into a filter."""

SECOND = ("session", "after", "reply")
DEPTHS = {5: 0.25, 10: 0.5, 20: 0.25}
SOFTNESS = 0.08
PULL = 0.02
STEP = 0.03
LOOK_AGAIN_EVERY = 20

SCOPE_ROWS = (3, 10, 30, 100, None)
"""Sizes of the scopes that calibration is fitted on; None is the whole conversation."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question among the turns of one conversation; `gold` are the sources that answer it."""

    set_name: str
    conversation: str
    text: str
    asked_at: int
    pool: Pool
    query: RankQuery
    gold: frozenset[str]


@dataclass(frozen=True, slots=True)
class Search:
    """A question asked of a scope; `gold` is empty where it holds no answer."""

    pool: Pool
    query: RankQuery
    gold: frozenset[str]


@dataclass(slots=True)
class Prepared:
    """The evidence for one question as a matrix rows x signals; `starts` is the first row of each turn."""

    question: Question
    evidence: Evidence
    matrix: Floats
    starts: NDArray[np.intp]
    gold_turns: list[int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"replace {WEIGHTS_FILE.name}")
    parser.add_argument("--only-calibration", action="store_true", help="keep the shipped signals as they are")
    options = parser.parse_args()
    shipped = Weights.default()
    base = shipped.replacing(START)
    if options.only_calibration:
        base, options.steps = shipped, shipped.provenance["steps"]
    folders = sorted(folder for folder in options.data.iterdir() if (folder / "queries.jsonl.gz").exists())
    prepared = [prepare(question, base) for folder in folders for question in questions_of(folder)]
    print(f"{len(prepared)} questions of {len(folders)} sets")

    report = dict(shipped.provenance["recall"])
    weights = base
    if not options.only_calibration:
        report = {"plain": recalls(prepared, base)}
        report["held-back conversations"] = by_conversation(prepared, base, options)
        report["held-back sets"] = by_set(prepared, base, options)
        weights = fitted(prepared, base, options.steps)
        report["all, seen in fitting"] = recalls(prepared, weights)
    weights = calibrated([item.question for item in prepared], weights, options.seed)
    for name, figures in report.items():
        print(f"{name:28}", "  ".join(f"{set_name} {value:.4f}" for set_name, value in figures.items()))
    print(json.dumps({signal: round(value, 3) for signal, value in weights.signals.items()}, indent=2))
    print(json.dumps(asdict(weights.calibration), indent=2))
    if options.write:
        write(weights, report, options)


# Reading the sets


@cache
def embedder() -> Any:
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


@cache
def thesaurus() -> StaticThesaurus:
    return StaticThesaurus(StaticEmbedder())


def questions_of(folder: Path) -> Iterator[Question]:
    """A question is asked when it says it was, or else when the conversation ended."""
    tenants: dict[str, list[dict[str, Any]]] = {}
    for turn in _lines(folder / "docs.jsonl.gz"):
        tenants.setdefault(turn["tenant"], []).append(turn)
    asked: dict[str, list[dict[str, Any]]] = {}
    for question in _lines(folder / "queries.jsonl.gz"):
        if question["type"] != "adversarial":
            asked.setdefault(question["tenant"], []).append(question)
    for tenant, turns in tenants.items():
        pool = pool_of(turns)
        known = set(pool.sources)
        for item in asked.get(tenant, []):
            gold = frozenset(item.get("gold_corrected") or item["gold"]) & known
            if gold:
                text = item["query"]
                asked_at = _times([item["ts"]])[0] if item.get("ts") else int(pool.occurred_at.max())
                query = query_of(text, asked_at, pool)
                yield Question(folder.name, tenant, text, asked_at, pool, query, gold)


def pool_of(turns: Sequence[dict[str, Any]]) -> Pool:
    """The pool a server would build of these turns: one verbatim memory a turn, long ones in segments."""
    sessions = list(dict.fromkeys(turn["session"] for turn in turns))
    turns = sorted(turns, key=lambda turn: sessions.index(turn["session"]))
    speakers = sorted({turn["speaker"] for turn in turns})
    rows: list[tuple[dict[str, Any], int, int, str]] = []
    for position, turn in enumerate(turns):
        rows += [(turn, position, at, piece) for at, piece in enumerate(segments(turn["text"][:MAX_CHARS]))]
    terms = [term_ids(analyse(piece)) for *_, piece in rows]
    kinds = {"assistant": EventKind.ASSISTANT_MESSAGE}
    size = len(rows)
    return Pool(
        memory_ids=[turn["doc_id"] for turn, *_ in rows],
        segments=np.array([at for _, _, at, _ in rows], dtype=np.int32),
        sources=[turn["doc_id"] for turn, *_ in rows],
        sessions=np.array([sessions.index(turn["session"]) for turn, *_ in rows], dtype=np.int32),
        session_ids=sessions,
        positions=np.array([position for _, position, _, _ in rows], dtype=np.int64),
        speakers=np.array([speakers.index(turn["speaker"]) for turn, *_ in rows], dtype=np.int32),
        speaker_names=speakers,
        occurred_at=np.array(_times([turn["ts"] for turn, *_ in rows]), dtype=np.int64),
        traits=np.array([int(traits_of(piece, kinds.get(turn["role"]))) for turn, _, _, piece in rows], dtype=np.int32),
        kinds=np.zeros(size, dtype=np.int32),
        kind_names=["episodic"],
        types=np.zeros(size, dtype=np.int32),
        type_names=["event"],
        term_ids=np.concatenate(terms),
        offsets=np.cumsum([0, *(len(ids) for ids in terms)]).astype(np.int64),
        vectors=np.asarray(embedder().embed([piece for *_, piece in rows], norm=True), dtype=np.float32),
    )


def query_of(text: str, asked_at: int, pool: Pool) -> RankQuery:
    found = understand(text, speakers=pool.speaker_names, asked_at=datetime.fromtimestamp(asked_at, UTC))
    terms = analyse_query(text, drop=(*found.name_words, *found.time_words))
    return RankQuery(
        terms=[term_ids(term.alternatives) for term in terms],
        kin=[kin_of(thesaurus(), term) for term in terms],
        vector=np.asarray(embedder().embed([found.spoken], norm=True), dtype=np.float32)[0],
        understanding=found,
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _times(stamps: Sequence[str | None]) -> list[int]:
    """Unix seconds; a turn without a time has that of the one before it."""
    times: list[int] = []
    for stamp in stamps:
        times.append(_seconds(stamp) if stamp else times[-1] if times else 0)
    return times


def _seconds(stamp: str) -> int:
    for form in TIME_FORMS:
        try:
            return int(datetime.strptime(stamp, form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    raise SystemExit(f"Time {stamp!r} has none of the known forms {TIME_FORMS}.")


# Fitting


def prepare(question: Question, weights: Weights) -> Prepared:
    everything = weights.replacing(dict.fromkeys(SIGNALS, 1.0))
    evidence = gather(question.pool, question.query, everything)
    matrix = np.zeros((len(question.pool), len(SIGNALS)), dtype=np.float32)
    for signal, column in evidence.columns.items():
        matrix[:, SIGNALS.index(signal)] = column
    starts = evidence.turns.starts
    gold = [turn for turn, row in enumerate(starts) if question.pool.sources[row] in question.gold]
    return Prepared(question, evidence, matrix, starts, gold)


def look_again(item: Prepared, weights: NDArray[np.float32], base: Weights) -> None:
    """Compute anew the signals that rest on the sum of the others."""
    first = [at for at, signal in enumerate(SIGNALS) if signal not in SECOND]
    total = item.matrix[:, first] @ weights[first]
    switched_on = base.replacing(dict.fromkeys(SECOND, 1.0))
    for signal, column in second_look(total, item.evidence, switched_on).items():
        item.matrix[:, SIGNALS.index(signal)] = column


def fitted(items: Sequence[Prepared], base: Weights, steps: int) -> Weights:
    """Raise smooth recall by Adam (Kingma and Ba 2015) from the base; a set counts by the root of its size."""
    start = np.array([base[signal] for signal in SIGNALS], dtype=np.float32)
    free = np.array([signal not in NOT_FITTED for signal in SIGNALS])
    low, high = np.where(start < 0, -MOST, 0.0), np.where(start < 0, 0.0, MOST)
    shares = _shares(items)
    weights, momentum, speed = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for step in range(1, steps + 1):
        if step % LOOK_AGAIN_EVERY == 1:
            for item in items:
                look_again(item, weights, base)
        slope = sum((shares[item.question.set_name] * _slope(item, weights) for item in items), np.zeros_like(start))
        slope = (slope - PULL * (weights - start)) * free
        momentum = 0.9 * momentum + 0.1 * slope
        speed = 0.99 * speed + 0.01 * slope**2
        scale = np.sqrt(speed / (1 - 0.99**step)) + 1e-6
        pace = STEP * (1 - (step - 1) / steps)
        moved = weights + pace * (momentum / (1 - 0.9**step)) / scale
        weights = np.clip(moved, low, high).astype(np.float32)
    return base.replacing({signal: round(float(value), 3) for signal, value in zip(SIGNALS, weights, strict=True)})


def _shares(items: Sequence[Prepared]) -> dict[str, float]:
    """What one question of each set counts."""
    names = [item.question.set_name for item in items]
    sizes = {name: names.count(name) for name in set(names)}
    whole = sum(size**0.5 for size in sizes.values())
    return {name: size**0.5 / whole / size for name, size in sizes.items()}


def _slope(item: Prepared, weights: Floats) -> Floats:
    """The gradient of how far each gold turn stands above the k-th best of the others, through a logistic."""
    rows = item.matrix @ weights
    turns = np.maximum.reduceat(rows, item.starts)
    others = turns.copy()
    others[item.gold_turns] = -np.inf
    deepest = min(max(DEPTHS), len(others) - 1)
    ahead = np.argpartition(-others, deepest - 1)[:deepest]
    ahead = ahead[np.argsort(-others[ahead], kind="stable")]
    slope = np.zeros_like(weights)
    gold_rows = [_best_row(item, rows, turn) for turn in item.gold_turns]
    for depth, share in DEPTHS.items():
        rival = _best_row(item, rows, int(ahead[min(depth, len(ahead)) - 1]))
        for row in gold_rows:
            reached = 1.0 / (1.0 + np.exp(-np.clip((rows[row] - rows[rival]) / SOFTNESS, -30, 30)))
            push = share * reached * (1 - reached) / SOFTNESS / len(gold_rows)
            slope += np.float32(push) * (item.matrix[row] - item.matrix[rival])
    return slope


def _best_row(item: Prepared, rows: Floats, turn: int) -> int:
    start = int(item.starts[turn])
    end = int(item.starts[turn + 1]) if turn + 1 < len(item.starts) else len(rows)
    return start + int(rows[start:end].argmax())


# Calibrating


def calibrated(questions: Sequence[Question], weights: Weights, seed: int) -> Weights:
    """Fit the logistic that turns coverage and similarity of the first hits, and the size of the scope, into the chance
    that one of them is right."""
    rng = np.random.default_rng(seed)
    features, right = [], []
    for question in questions:
        for search in searches_of(question, questions, rng):
            hits = rank(search.pool, search.query, weights, limit=WITNESSES, explain=True)
            coverage = max(hit.explanation.coverage for hit in hits if hit.explanation)
            features.append((1.0, coverage, chance_level(len(search.pool)), max(hit.similarity for hit in hits)))
            right.append(any(search.pool.sources[hit.row] in search.gold for hit in hits))
    fits = [_logistic(np.array(features)[:, :columns], np.array(right, dtype=np.float64)) for columns in (4, 3)]
    found = [[round(float(value), 3) for value in fit] for fit in fits]
    return weights.calibrated_by(Calibration(with_vectors=Logit(*found[0]), words_only=Logit(*found[1])))


def searches_of(question: Question, questions: Sequence[Question], rng: np.random.Generator) -> Iterator[Search]:
    """In scopes of several sizes: the question where its answer is, the question elsewhere in the same conversation,
    and a question of another conversation."""
    pool, gold = question.pool, question.gold
    answers = [row for row, source in enumerate(pool.sources) if source in gold]
    for size in SCOPE_ROWS:
        rows = min(size or len(pool), len(pool))
        start = int(rng.choice(answers)) - int(rng.integers(rows))
        around = part_of(pool, min(max(start, 0), len(pool) - rows), rows)
        yield Search(around, question.query, gold)
        elsewhere = part_of(pool, int(rng.integers(len(pool) - rows + 1)), rows)
        if gold.isdisjoint(elsewhere.sources):
            yield Search(elsewhere, question.query, gold)
        stranger = questions[int(rng.integers(len(questions)))]
        if stranger.pool is not pool:
            yield Search(around, query_of(stranger.text, question.asked_at, pool), frozenset())


def part_of(pool: Pool, start: int, rows: int) -> Pool:
    """Rows in a row, as a pool of their own."""
    its = slice(start, start + rows)
    offsets = pool.offsets[start : start + rows + 1]
    return replace(
        pool,
        memory_ids=pool.memory_ids[its],
        sources=pool.sources[its],
        term_ids=pool.term_ids[offsets[0] : offsets[-1]],
        offsets=offsets - offsets[0],
        segments=pool.segments[its],
        sessions=pool.sessions[its],
        positions=pool.positions[its],
        speakers=pool.speakers[its],
        occurred_at=pool.occurred_at[its],
        traits=pool.traits[its],
        kinds=pool.kinds[its],
        types=pool.types[its],
        vectors=pool.vectors[its],
    )


def _logistic(features: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's method with a light ridge."""
    solution = np.zeros(features.shape[1])
    for _ in range(30):
        chance = 1.0 / (1.0 + np.exp(-features @ solution))
        spread = np.maximum(chance * (1 - chance), 1e-6)
        curvature = (features * spread[:, None]).T @ features + 0.1 * np.eye(len(solution))
        solution = solution + np.linalg.solve(curvature, features.T @ (right - chance) - 0.1 * solution)
    return solution


# Judging


def recalls(items: Sequence[Prepared], weights: Weights, limit: int = 10) -> dict[str, float]:
    """Mean recall of the gold sources among the first hits, by set, through the product's own ranking."""
    found: dict[str, list[float]] = {}
    for item in items:
        question = item.question
        hits = {question.pool.sources[hit.row] for hit in rank(question.pool, question.query, weights, limit=limit)}
        found.setdefault(question.set_name, []).append(len(hits & question.gold) / len(question.gold))
    return {name: round(float(np.mean(values)), 4) for name, values in found.items()}


def by_conversation(items: Sequence[Prepared], base: Weights, options: argparse.Namespace) -> dict[str, float]:
    conversations = sorted({(item.question.set_name, item.question.conversation) for item in items})
    order = np.random.default_rng(options.seed).permutation(len(conversations))
    fold_of = {conversations[at]: place % options.folds for place, at in enumerate(order)}
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for fold in range(options.folds):
        held = [fold_of[item.question.set_name, item.question.conversation] == fold for item in items]
        weights = fitted([item for item, out in zip(items, held, strict=True) if not out], base, options.steps)
        for name, part in _grouped([item for item, out in zip(items, held, strict=True) if out]).items():
            sums[name] = sums.get(name, 0.0) + recalls(part, weights)[name] * len(part)
            counts[name] = counts.get(name, 0) + len(part)
    return {name: round(sums[name] / counts[name], 4) for name in sorted(sums)}


def by_set(items: Sequence[Prepared], base: Weights, options: argparse.Namespace) -> dict[str, float]:
    groups = _grouped(items)
    if len(groups) < 2:
        return {}
    return {
        name: recalls(held, fitted([item for item in items if item.question.set_name != name], base, options.steps))[
            name
        ]
        for name, held in groups.items()
    }


def _grouped(items: Sequence[Prepared]) -> dict[str, list[Prepared]]:
    groups: dict[str, list[Prepared]] = {}
    for item in items:
        groups.setdefault(item.question.set_name, []).append(item)
    return groups


def write(weights: Weights, report: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    table = {
        "provenance": {
            "made_by": "benchmarks/fit_weights.py",
            "date": datetime.now(UTC).date().isoformat(),
            "seed": options.seed,
            "steps": options.steps,
            "folds": options.folds,
            "embedder": "wordllama, static, 256 dimensions",
            "measure": "mean recall@10 of the gold turns, one conversation a pool",
            "recall": report,
        },
        "signals": dict(weights.signals),
        "words": asdict(weights.words),
        "near": asdict(weights.near),
        "around": asdict(weights.around),
        "calibration": asdict(weights.calibration),
    }
    WEIGHTS_FILE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
