"""The evidence ranking weighs: for every row of a pool one bounded value per signal.

A signal is a column of numbers in 0..1 with its best row at 1 where it is relative. It adds evidence, it never hides a
row, and a signal with nothing to say about a question is absent.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from memcairn.domain.lexical import Frequencies, Kin, TermIds, Words, bm25, count_kin, count_words
from memcairn.domain.pool import Pool, Trait
from memcairn.domain.products import along_all, weighed
from memcairn.domain.query import Shape, Understanding
from memcairn.domain.turns import Bools, Floats, Ints, Turns, around, beside, turns_of
from memcairn.domain.weights import Weights

AFTERWARDS_SECONDS = 21 * 86_400
"""People tell of a thing up to three weeks after it; the evidence fades linearly over that time."""

_SAMPLED_ROWS = 1_024
_FEW_ROWS = 16.0
"""The average direction of a pool counts fully only with many more rows than this."""

_LEAST_SPREAD = 0.2
"""How far the best cosine stands above the average in any large pool (99 in 100 searches of the fitting sets): among a
few rows hundredths of it would decide otherwise."""

_MOST_IN_TURN = np.float32(1.0)
_MOST_AROUND = np.float32(1.5)
"""What a term's kin may count in a turn, and in a turn with its neighbours: repetition soon stops helping."""

ARMS = (
    "words",
    "words_near",
    "words_around",
    "kin",
    "kin_near",
    "meaning",
    "meaning_whole",
    "meaning_near",
    "meaning_around",
)
"""The signals that search; the others only shift what these found."""

_SHAPED_BY_TRAIT = {
    "when": (Shape.WHEN, Trait.HAS_TIME),
    "how_many": (Shape.HOW_MANY, Trait.HAS_NUMBER),
    "list": (Shape.LIST, Trait.HAS_LIST),
    "told": (Shape.TOLD, Trait.BY_ASSISTANT),
}
_TRAITS = {
    "asks": Trait.QUESTION,
    "short": Trait.SHORT,
    "dated": Trait.HAS_TIME,
    "personal": Trait.PERSONAL,
    "remark": Trait.REMARK,
}


@dataclass(frozen=True, slots=True)
class RankQuery:
    """A question as ranking sees it.

    `terms`: for each term the ids of its alternatives (`store.index.analysis`), names left out; `kin`: for each term
    those of words of like meaning, or nothing at all; `vector`: of unit
    length, of `understanding.spoken`, or None; `understanding`: `domain.query.understand`; `frequencies`: of the terms
    in the whole scope, for a pool that holds only candidates.
    """

    terms: Sequence[TermIds] = ()
    vector: Floats | None = None
    understanding: Understanding = field(default_factory=Understanding)
    frequencies: Frequencies | None = None
    kin: Sequence[Kin] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """The columns that apply, by signal, and the raw findings behind them."""

    columns: dict[str, Floats]
    words: Words
    coverage: Floats
    """Per row: the part of the question's words, weighed by rarity, that stands in it."""
    cosines: Floats | None
    turns: Turns
    asks: Floats
    """Per turn: 1 if it ends with a question."""
    replaced: Mapping[int, Ints]
    """Rows of superseded words, and for each the rows that say what holds now; none if the past is asked for."""


def gather(pool: Pool, query: RankQuery, weights: Weights) -> Evidence:
    """Every signal with a weight and something to say; those that rest on the sum of the others come in ranking."""
    turns = pool.once(turns_of)
    words = count_words(pool, query.terms, query.frequencies)
    coverage = words.coverage()
    cosines = along_all(pool.vectors, query.vector) if query.vector is not None and pool.vectors.size else None
    columns = _word_columns(pool, words, turns, weights)
    columns |= _kin_columns(pool, query, words, turns=turns, weights=weights)
    if cosines is not None and query.vector is not None:
        columns |= _meaning_columns(pool, query.vector, cosines, turns=turns, weights=weights)
    for signal, column_of in _HINTS.items():
        if weights[signal]:
            column = column_of(pool, query.understanding)
            if column is not None:
                columns[signal] = column
    columns |= _trait_columns(pool, query.understanding.shape, weights)
    columns |= _statement_columns(pool, coverage, turns, weights)
    replaced = _replacements(pool, words)
    outdated = _outdated_columns(pool, words, replaced, query.understanding.shape)
    columns |= {signal: column for signal, column in outdated.items() if weights[signal] and column.any()}
    columns |= _place_columns(pool, weights)
    in_force = {} if query.understanding.shape & Shape.PAST else replaced
    return Evidence(columns, words, coverage, cosines, turns, pool.once(_ends_asking), in_force)


def _ends_asking(pool: Pool) -> Floats:
    last_rows = np.append(pool.once(turns_of).starts[1:], len(pool)) - 1
    asks: Floats = ((pool.traits[last_rows] & Trait.QUESTION) != 0).astype(np.float32)
    return asks


def _word_columns(pool: Pool, words: Words, turns: Turns, weights: Weights) -> dict[str, Floats]:
    if not len(words.idf):
        return {}
    lengths = pool.once(_lengths)
    columns = {}
    if weights["words"]:
        columns["words"] = _to_best(bm25(words, words.counts, lengths, weights.words))
    if weights["words_near"] or weights["words_around"]:
        counts = around(turns.heard(words.counts), turns)
        sizes = pool.once(_sizes_around)
        saturations = {"words_near": weights.near, "words_around": weights.around}
        for (signal, saturation), count, size in zip(saturations.items(), counts, sizes, strict=True):
            if weights[signal]:
                columns[signal] = turns.spread(_to_best(bm25(words, count, size, saturation)))
    return columns


def _lengths(pool: Pool) -> Floats:
    return np.diff(pool.offsets).astype(np.float32)


def _sizes_around(pool: Pool) -> tuple[Floats, Floats]:
    turns = pool.once(turns_of)
    return around(turns.summed(pool.once(_lengths)), turns)


def _kin_columns(pool: Pool, query: RankQuery, words: Words, *, turns: Turns, weights: Weights) -> dict[str, Floats]:
    """What rows, and turns with their neighbours, hold of words that mean something like those asked for."""
    wanted = [signal for signal in ("kin", "kin_near") if weights[signal]]
    # Of a very long query only some terms are weighed: it needs no further words.
    if not wanted or not query.kin or len(query.kin) != len(words.idf):
        return {}
    some = [term for term, kin in enumerate(query.kin) if len(kin.ids)]
    if not some:
        return {}
    held = count_kin(pool, [query.kin[term] for term in some], words.counts[some])
    near = beside(np.minimum(turns.heard(held), _MOST_IN_TURN), turns)
    share = words.rarity[some] / words.rarity.sum(dtype=np.float32)
    columns = {
        "kin": _to_best(weighed(share, held)),
        "kin_near": turns.spread(_to_best(weighed(share, np.minimum(near, _MOST_AROUND, out=near)))),
    }
    return {signal: columns[signal] for signal in wanted if columns[signal].any()}


def _meaning_columns(
    pool: Pool, asked: Floats, cosines: Floats, *, turns: Turns, weights: Weights
) -> dict[str, Floats]:
    columns = {}
    if weights["meaning"]:
        columns["meaning"] = _above_average(_centred(pool, asked, cosines))
    if weights["meaning_whole"] or weights["meaning_near"] or weights["meaning_around"]:
        means = (turns.summed(cosines) / pool.once(_rows_of_turns)).astype(np.float32)
        if weights["meaning_whole"]:
            columns["meaning_whole"] = turns.spread(_above_average(means))
        sums = zip(("meaning_near", "meaning_around"), around(means, turns), (2.0, 2.5), strict=True)
        for signal, values, turns_alike in sums:
            if weights[signal]:
                columns[signal] = turns.spread(_above_average(values, least=_LEAST_SPREAD * turns_alike))
    return columns


def _centred(pool: Pool, asked: Floats, cosines: Floats) -> Floats:
    """Cosines after the average direction of the pool is taken away: what all texts here share tells none apart
    (Mu and Viswanath 2018, "All-but-the-top", of which this is the first step)."""
    shared, along, length = pool.once(_shared_direction)
    direction = asked - shared
    towards = cosines - along - float(shared @ direction)
    centred: Floats = (towards / (length * max(float(np.sqrt(direction @ direction)), 1e-6))).astype(np.float32)
    return centred


def _shared_direction(pool: Pool) -> tuple[Floats, Floats, Floats]:
    """What the vectors of a pool share; how far each goes along with it; and the length of what is left of each."""
    sample = pool.vectors[:: 1 + len(pool) // _SAMPLED_ROWS]
    shared = sample.mean(axis=0) * np.float32(len(pool) / (len(pool) + _FEW_ROWS))
    along = along_all(pool.vectors, shared)
    # |v - m|² = 1 - 2 v·m + m² for unit v; rows without a vector have cosine 0 and stay near 0.
    length = np.sqrt(np.maximum(1.0 - 2.0 * along + float(shared @ shared), 1e-3))
    return shared, along, length


def _rows_of_turns(pool: Pool) -> Floats:
    return np.maximum(pool.once(turns_of).summed(np.ones(len(pool), dtype=np.float32)), 1)


def _to_best(values: Floats) -> Floats:
    best = values.max(initial=0.0)
    return values / best if best > 0 else values


def _above_average(values: Floats, least: float = _LEAST_SPREAD) -> Floats:
    """Cosines of everyday texts all lie high: what counts is how far one stands out. Average and below 0, best 1, or
    less if it stands out by less than `least`."""
    mean, best = np.add.reduce(values) / np.float32(len(values)), values.max(initial=0.0)
    above: Floats = values - mean
    above /= np.float32(max(float(best - mean), least))
    return np.maximum(above, np.float32(0), out=above)


def _named_speaker(pool: Pool, found: Understanding) -> Floats | None:
    named = set(found.speakers) & set(pool.speaker_names)
    if not named:
        return None
    is_named = np.fromiter((name in named for name in pool.speaker_names), np.float32, len(pool.speaker_names))
    # A negative code means that nobody is known to have said it.
    return np.where(pool.speakers >= 0, is_named[pool.speakers], np.float32(0))


def _within_dates(pool: Pool, found: Understanding) -> Floats | None:
    if not found.windows:
        return None
    said = pool.occurred_at
    within = np.zeros(len(pool), dtype=np.bool_)
    for window in found.windows:
        within |= (said >= window.start) & (said < window.end)
    return within.astype(np.float32)


def _told_afterwards(pool: Pool, found: Understanding) -> Floats | None:
    if not found.windows:
        return None
    column = np.zeros(len(pool), dtype=np.float32)
    for window in found.windows:
        late = (pool.occurred_at - window.end) / AFTERWARDS_SECONDS
        np.maximum(column, np.where(late >= 0, 1 - late, 0), out=column, casting="same_kind")
    return column


def _recent(pool: Pool, found: Understanding) -> Floats | None:
    """The newest row at 1, the oldest at 0, if the question asks how things stand."""
    if not found.shape & Shape.LATEST or not len(pool):
        return None
    oldest, newest = pool.occurred_at.min(), pool.occurred_at.max()
    age: Floats = ((pool.occurred_at - oldest) / max(1, newest - oldest)).astype(np.float32)
    return age


def _said_by_people(pool: Pool, found: Understanding) -> Floats | None:
    """Where people talk with an assistant, what the people said: what is to be remembered is theirs."""
    if found.shape & (Shape.TOLD | Shape.SUMMARY):
        return None
    return pool.once(_by_people)


def _by_people(pool: Pool) -> Floats | None:
    by_people = (pool.traits & Trait.BY_ASSISTANT) == 0
    return None if by_people.all() else by_people.astype(np.float32)


def _standing_wishes(pool: Pool, found: Understanding) -> Floats | None:
    """Wishes and rules of people, if an assistant among them is asked for help."""
    by_people = _said_by_people(pool, found)
    if by_people is None or not found.shape & Shape.REQUEST:
        return None
    wishes: Floats = by_people * ((pool.traits & Trait.STANDING) != 0)
    return wishes


_HINTS: dict[str, Callable[[Pool, Understanding], Floats | None]] = {
    "speaker": _named_speaker,
    "date": _within_dates,
    "afterwards": _told_afterwards,
    "latest": _recent,
    "people": _said_by_people,
    "standing": _standing_wishes,
}


def _trait_columns(pool: Pool, shape: Shape, weights: Weights) -> dict[str, Floats]:
    wanted = {signal: trait for signal, trait in _TRAITS.items()}
    wanted |= {signal: trait for signal, (asked, trait) in _SHAPED_BY_TRAIT.items() if shape & asked}
    return {signal: pool.once(_HOLDING[trait]) for signal, trait in wanted.items() if weights[signal]}


def _holding(pool: Pool, trait: Trait) -> Floats:
    holding: Floats = ((pool.traits & trait) != 0).astype(np.float32)
    return holding


_HOLDING: dict[Trait, Callable[[Pool], Floats]] = {
    trait: functools.partial(_holding, trait=trait)
    for trait in (*_TRAITS.values(), *(trait for _, trait in _SHAPED_BY_TRAIT.values()))
}
"""One function for each trait, so that a pool keeps what it found."""


def _statement_columns(pool: Pool, coverage: Floats, turns: Turns, weights: Weights) -> dict[str, Floats]:
    """A typed statement that holds all of the question's words its source's words hold says the same more plainly."""
    typed = pool.once(_typed_rows)
    if not weights["typed"] or not len(typed):
        return {}
    verbatim = coverage.copy()
    verbatim[typed] = 0
    its_turn = typed if turns.of_row is None else turns.of_row[typed]
    held, most = coverage[typed], turns.most(verbatim)[its_turn]
    column = np.zeros_like(coverage)
    column[typed[(held > 0) & (held >= most)]] = 1
    return {"typed": column}


def _typed_rows(pool: Pool) -> Ints:
    return np.flatnonzero(pool.traits & Trait.TYPED.value)


def _outdated_rows(pool: Pool) -> Ints:
    return np.flatnonzero(pool.traits & Trait.OUTDATED.value)


def _replacements(pool: Pool, words: Words) -> Mapping[int, Ints]:
    """For each outdated row that holds a word of the question, the later statements of its speaker that hold it too.

    A long text may be outdated in one thing it says and still be the only one to say another.
    """
    outdated = pool.once(_outdated_rows)
    if not len(outdated):
        return {}
    in_force = pool.once(_statements_in_force)
    of_outdated, of_statements = words.counts[:, outdated] > 0, words.counts[:, in_force] > 0
    replacing = {}
    for at in np.flatnonzero(of_outdated.any(axis=0)):
        row = outdated[at]
        statements = in_force[of_statements[of_outdated[:, at]].any(axis=0)]
        by_same = pool.speakers[statements] == pool.speakers[row]
        replacing[int(row)] = statements[by_same & _said_after(pool, statements, row)]
    return replacing


def _statements_in_force(pool: Pool) -> Ints:
    return np.flatnonzero(pool.traits & (Trait.TYPED | Trait.OUTDATED).value == Trait.TYPED.value)


def _said_after(pool: Pool, rows: Ints, row: np.intp) -> Bools:
    at, moment = pool.occurred_at[rows], pool.occurred_at[row]
    after: Bools = (at > moment) | ((at == moment) & (pool.positions[rows] > pool.positions[row]))
    return after


def _outdated_columns(pool: Pool, words: Words, replaced: Mapping[int, Ints], shape: Shape) -> dict[str, Floats]:
    """Superseded words stand forward where the question is about the past; where it is not, and no word of it tells
    which part of them is meant, a little back."""
    outdated = pool.once(_outdated_rows)
    if not len(outdated):
        return {}
    column = np.zeros(len(pool), dtype=np.float32)
    if shape & Shape.PAST:
        column[[row for row, rows in replaced.items() if len(rows)]] = 1
        return {"former": column}
    column[outdated[~words.counts[:, outdated].any(axis=0)]] = 1
    return {"outdated": column}


def _place_columns(pool: Pool, weights: Weights) -> dict[str, Floats]:
    """The head of a text says what it is about, the opening of a session why it is held."""
    columns = {}
    if weights["head"]:
        columns["head"] = pool.once(_heads)
    if weights["opening"]:
        columns["opening"] = pool.once(_openings)
    return columns


def _heads(pool: Pool) -> Floats:
    heads: Floats = (pool.segments == 0).astype(np.float32)
    return heads


def _openings(pool: Pool) -> Floats:
    turns = pool.once(turns_of)
    opening = np.zeros(len(turns), dtype=np.float32)
    opening[turns.session_starts[turns.session_sizes > 1]] = 1
    return turns.spread(opening)
