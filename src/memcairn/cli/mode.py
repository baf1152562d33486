"""In which mode a program with these settings runs."""

from memcairn.settings import Settings


def mode_of(settings: Settings) -> str:
    """What thinks for this server, in a few words."""
    embedding = (
        "static word embedding (built in)" if settings.embedder == "static" else f"embedding {settings.embedder}"
    )
    return f"no LLM (memories are made by rules), {embedding}"
