"""The Python SDK: a Memcairn server over HTTP or inside the process, in both colours.

`MemcairnClient` and `AsyncMemcairnClient` have the same methods, one of them awaited. What travels is in
`memcairn.wire`; what goes wrong is in `memcairn.client.errors`.
"""

from memcairn.client._async.client import AsyncMemcairnClient
from memcairn.client._sync.client import MemcairnClient
from memcairn.client.errors import (
    ApiError,
    AuthenticationError,
    ConflictError,
    ConnectionFailed,
    ForbiddenError,
    InvalidArgument,
    InvalidError,
    LimitError,
    MemcairnError,
    NotFoundError,
    ProtocolError,
    ServerError,
    ServerNotInstalled,
    TimedOut,
)
from memcairn.wire.events import NewEvent

__all__ = [
    "ApiError",
    "AsyncMemcairnClient",
    "AuthenticationError",
    "ConflictError",
    "ConnectionFailed",
    "ForbiddenError",
    "InvalidArgument",
    "InvalidError",
    "LimitError",
    "MemcairnClient",
    "MemcairnError",
    "NewEvent",
    "NotFoundError",
    "ProtocolError",
    "ServerError",
    "ServerNotInstalled",
    "TimedOut",
]
