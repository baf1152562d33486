"""Counting tokens as a model does."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from memcairn.domain.errors import Invalid
from memcairn.providers.tokenizer import tokenizer_counter


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    """One token a word, two more around each text, and texts cut off after three tokens."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=8)
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.mark.parametrize(("text", "count"), [("", 0), ("one", 1), ("one two three four five", 5)])
def test_the_words_are_counted_and_nothing_around_them(tokenizer_file: Path, text: str, count: int) -> None:
    assert tokenizer_counter(tokenizer_file)(text) == count


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"version": "1.0"}'])
def test_a_file_that_is_no_tokenizer_is_named_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)

    with pytest.raises(Invalid, match=r"MEMCAIRN_TOKENIZER names '.*tokenizer\.json'.*leave the setting out"):
        tokenizer_counter(path)


def test_a_file_that_is_not_there_is_named_too(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="No such file"):
        tokenizer_counter(tmp_path / "missing.json")
