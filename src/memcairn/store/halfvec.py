"""Vectors of half precision: bytes to the program on both databases, pgvector's `halfvec` in a Postgres."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Dialect, func
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

_HEADER_BYTES = 4
"""What `halfvec_send` puts before the numbers: how many there are, and two bytes unused."""


class Halfvec(UserDefinedType[bytes]):
    """A column of vectors of any width. The program gives and gets little-endian float16 numbers, packed."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        return "HALFVEC"

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[bytes]:
        # As text a vector of 256 numbers would be 5 kB to send and 256 numbers to parse.
        return func.halfvec_send(column, type_=self)

    def bind_processor(self, dialect: Dialect) -> Callable[[bytes | None], str | None]:
        return lambda packed: None if packed is None else as_text(packed)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[bytes | None], bytes | None]:
        return lambda sent: None if sent is None else _packed(sent)


# So that a database can be compared with the schema: the dialect knows none of pgvector's types.
ischema_names["halfvec"] = Halfvec


def as_text(packed: bytes) -> str:
    """The literal form of packed float16 numbers."""
    return "[" + ",".join(_texts()[np.frombuffer(packed, dtype="<u2")]) + "]"


def _packed(sent: bytes) -> bytes:
    return np.frombuffer(sent, dtype=">u2", offset=_HEADER_BYTES).astype("<u2").tobytes()


@functools.cache
def _texts() -> NDArray[np.object_]:
    """Each of the 65,536 numbers of half precision as text: a look-up is ten times as fast as formatting."""
    numbers = np.arange(1 << 16, dtype="<u2").view("<f2").astype(np.float64)
    return np.array([f"{number:.6g}" for number in numbers], dtype=np.object_)
