"""Texts as a model takes them."""


def as_input(text: str, max_chars: int) -> str:
    """The first `max_chars` of a text, as Unicode that can be encoded: half a surrogate pair becomes a `?`."""
    start = text[:max_chars]
    return start if start.isascii() else start.encode("utf-8", "replace").decode("utf-8")
