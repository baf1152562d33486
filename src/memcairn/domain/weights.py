"""How much each signal counts: data with its provenance, fitted by `benchmarks/fit_weights.py`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from memcairn.domain.errors import Invalid
from memcairn.domain.lexical import Saturation

SIGNALS = (
    "words",
    "words_near",
    "words_around",
    "kin",
    "kin_near",
    "meaning",
    "meaning_whole",
    "meaning_near",
    "meaning_around",
    "speaker",
    "date",
    "afterwards",
    "asks",
    "short",
    "dated",
    "personal",
    "remark",
    "head",
    "opening",
    "when",
    "how_many",
    "list",
    "latest",
    "told",
    "people",
    "standing",
    "typed",
    "outdated",
    "former",
    "session",
    "after",
    "reply",
    "replaced",
)
"""Every signal, in the order explanations list them; the last four are computed from the sum of the others."""

_FILE = "weights.json"


@dataclass(frozen=True, slots=True)
class Logit:
    """The log odds that one of the first hits is right: a sum of what part of the question's words they hold, what
    likeness chance alone finds in a scope of that size (`ranking.chance_level`), and how near in meaning they are."""

    bias: float
    coverage: float
    chance: float
    similarity: float = 0.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """How sure the first hits are, in a search with vectors or by words alone. Every hit gets its share of it."""

    with_vectors: Logit
    words_only: Logit


@dataclass(frozen=True, slots=True)
class Weights:
    """One number per signal of `SIGNALS` (absent: 0, switched off) and the constants they are computed with."""

    signals: Mapping[str, float]
    words: Saturation
    near: Saturation
    around: Saturation
    calibration: Calibration
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.signals) - set(SIGNALS))
        if unknown:
            raise Invalid(f"Unknown ranking signals {', '.join(unknown)}; the known ones are {', '.join(SIGNALS)}.")

    def __getitem__(self, signal: str) -> float:
        return self.signals.get(signal, 0.0)

    def without(self, *signals: str) -> "Weights":
        """The same weights with these signals switched off; a name not in `SIGNALS` is refused as `Invalid`."""
        return self.replacing(dict.fromkeys(signals, 0.0))

    def replacing(self, signals: Mapping[str, float]) -> "Weights":
        return replace(self, signals=MappingProxyType({**self.signals, **signals}))

    def calibrated_by(self, calibration: Calibration) -> "Weights":
        return replace(self, calibration=calibration)

    @classmethod
    def default(cls) -> "Weights":
        """The fitted weights shipped with the package."""
        return _shipped()

    @classmethod
    def from_json(cls, text: str) -> "Weights":
        table = json.loads(text)
        return cls(
            signals=MappingProxyType({name: float(value) for name, value in table["signals"].items()}),
            words=Saturation(**table["words"]),
            near=Saturation(**table["near"]),
            around=Saturation(**table["around"]),
            calibration=Calibration(**{case: Logit(**logit) for case, logit in table["calibration"].items()}),
            provenance=MappingProxyType(table["provenance"]),
        )


@cache
def _shipped() -> Weights:
    return Weights.from_json(resources.files("memcairn.domain").joinpath(_FILE).read_text(encoding="utf-8"))
