"""Memcairn: a self-hosted memory server for AI agents and chat applications, and its Python client."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memcairn.client import AsyncMemcairnClient, MemcairnClient, MemcairnError, NewEvent

__version__ = "0.1.0"

__all__ = ["AsyncMemcairnClient", "MemcairnClient", "MemcairnError", "NewEvent", "__version__"]


def __getattr__(name: str) -> object:
    # The client and what it stands on are loaded when first asked for: server processes and `--version` never do.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module("memcairn.client"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
