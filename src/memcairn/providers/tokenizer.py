"""Exact token counts, by the vocabulary of a model: a `tokenizer.json` as published beside it."""

import contextlib
from pathlib import Path

from memcairn.domain.errors import Invalid
from memcairn.domain.tokens import TokenCounter


def tokenizer_counter(path: Path) -> TokenCounter:
    """Counts as the model of this `tokenizer.json` would, without the tokens it puts around a text.

    Invalid when the file cannot be read as one, or the library `tokenizers` is not installed. Safe to share between
    threads.
    """
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 -- an optional extra
    except ImportError:
        raise Invalid(
            "MEMCAIRN_TOKENIZER needs the library `tokenizers`. Install it with `pip install 'memcairn[tokens]'`, or "
            "leave the setting out to have tokens estimated.",
            code="tokenizer",
        ) from None
    with _Reading(path):
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count_tokens(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return count_tokens


class _Reading(contextlib.AbstractContextManager[None]):
    """Turns what is wrong with the file into Invalid: the library raises bare Exception for what it cannot parse."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not Exception and not isinstance(error, OSError | ValueError):
            return
        raise Invalid(
            f"MEMCAIRN_TOKENIZER names {str(self._path)!r}, which cannot be used: {error}. Name a readable "
            "tokenizer.json, or leave the setting out to have tokens estimated.",
            code="tokenizer",
        ) from None
