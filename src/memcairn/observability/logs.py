"""Structured logs without the contents of memories: JSON lines for machines, one aligned line for a terminal.

Modules write `logging.getLogger(__name__)` with a constant message and `extra=` fields; what travels in those fields is
checked here, once, on the way out.
"""

import logging
import os
import sqlite3
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar, Token
from datetime import date
from itertools import islice
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[hidden]"
MAX_FIELD_CHARS = 500
_MAX_ITEMS = 50
_MAX_DEPTH = 4
_MAX_ERRORS = 10
_MAX_FRAMES = 30

_SECRET_WORDS = frozenset({"authorization", "cookie", "password", "secret"})
"""Hidden wherever they stand in a field's name."""
_HIDDEN_ENDINGS = _SECRET_WORDS | {"content", "contents", "text", "query", "key", "token"}
"""Hidden when a field's name ends with them: `query` and `api_key` are, `query_ms` and `key_id` are not."""

_SPEAKING_ERRORS = (OSError, sqlite3.Error, ImportError, AttributeError, NameError, TypeError, RuntimeError)
"""Errors whose message names files, tables and types; the message of any other may quote what a user said."""

_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_QUIET_LIBRARIES = ("httpx2", "httpcore2", "sqlalchemy", "alembic", "asyncio")

_request_id: ContextVar[str | None] = ContextVar("memcairn_request_id", default=None)


def request_id() -> str | None:
    """The id of the request being served, if there is one."""
    return _request_id.get()


def bind_request_id(value: str | None) -> Token[str | None]:
    """Names the request that everything logged from here on belongs to; `unbind_request_id` takes it back."""
    return _request_id.set(value)


def unbind_request_id(token: Token[str | None]) -> None:
    _request_id.reset(token)


def configure(level: str = "info", *, json: bool | None = None, stream: TextIO | None = None) -> None:
    """Sends every log record of the process to `stream` (standard error), as JSON unless it is a terminal or told.

    Replaces the handlers of the root logger, so calling it again changes the form instead of doubling the lines.
    """
    target = stream or sys.stderr
    terminal = target.isatty()
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter(json=not terminal if json is None else json, colors=terminal))
    root = logging.getLogger()
    for previous in list(root.handlers):
        root.removeHandler(previous)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    _adopt_uvicorn()


def formatter(*, json: bool, colors: bool = False) -> logging.Formatter:
    """What turns a record into a line: fields with a telling name are hidden, others are cut to plain values."""
    last: Processor
    if json:
        last = structlog.processors.JSONRenderer()
    else:
        last = structlog.dev.ConsoleRenderer(colors=colors and "NO_COLOR" not in os.environ)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _add_fields,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_request_id,
            _add_exception,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )


def _adopt_uvicorn() -> None:
    """The server's own access log repeats ours and shows query strings; its error log joins everybody else's."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
        logger.setLevel(logging.NOTSET)
        logger.disabled = False


def _add_fields(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    record: logging.LogRecord = line["_record"]
    for name, value in vars(record).items():
        if name not in _RECORD_FIELDS and not name.startswith("_"):
            # "event" is where the renderer expects the message
            line["event_" if name == "event" else name] = _field(name, value)
    return line


def _add_request_id(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    current = request_id()
    if current is not None:
        line.setdefault("request_id", current)
    return line


def _add_exception(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    info = line.pop("exc_info", None)
    line.pop("stack_info", None)
    if info and info[1] is not None:
        line["exception"] = describe(info[1])
    return line


def describe(error: BaseException) -> str:
    """A traceback as text, causes first, with the message only of errors that never quote what was said."""
    return _describe(error, seen=set())


def _describe(error: BaseException, *, seen: set[int]) -> str:
    seen.add(id(error))
    parts: list[str] = []
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen and len(seen) < _MAX_ERRORS:
        parts += [_describe(earlier, seen=seen), "\n"]
    parts += traceback.format_tb(error.__traceback__, limit=-_MAX_FRAMES)
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    parts.append(f"{name}: {_cut(str(error))}" if isinstance(error, _SPEAKING_ERRORS) else name)
    if isinstance(error, BaseExceptionGroup):
        inner = [item for item in error.exceptions if id(item) not in seen][:_MAX_ERRORS]
        parts += [f"\n[{number}] {_describe(item, seen=seen)}" for number, item in enumerate(inner, start=1)]
    return "".join(parts)


def _is_hidden(name: str) -> bool:
    words = name.lower().replace("-", "_").split("_")
    return words[-1] in _HIDDEN_ENDINGS or not _SECRET_WORDS.isdisjoint(words)


def _plain(value: Any, depth: int = 0) -> Any:
    """Values a log may show: numbers, short strings and collections of them; of anything else only its type."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _cut(str(value))
    if isinstance(value, date):
        return value.isoformat()
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {str(name): _field(str(name), item, depth + 1) for name, item in islice(value.items(), _MAX_ITEMS)}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in islice(value, _MAX_ITEMS)]
    return f"<{type(value).__name__}>"


def _field(name: str, value: Any, depth: int = 0) -> Any:
    return HIDDEN if _is_hidden(name) else _plain(value, depth)


def _cut(text: str) -> str:
    cut = text if len(text) <= MAX_FIELD_CHARS else text[:MAX_FIELD_CHARS] + "…"
    return cut.encode("utf-8", "backslashreplace").decode()
