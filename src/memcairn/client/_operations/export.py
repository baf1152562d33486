"""The call that fetches everything an org holds, and the check that all of it came."""

import hashlib
import json

from memcairn.client._operation import Operation, nothing, pairs
from memcairn.client.errors import ProtocolError


def export(*, deleted: bool, keys: bool) -> Operation[None]:
    return Operation(
        method="GET", path="/v1/export", query=pairs(deleted=deleted, keys=keys), parse=nothing, repeatable=True
    )


class Manifest:
    """Compares the last line with those before it."""

    def __init__(self) -> None:
        self._before = hashlib.sha256()
        self._last = b""

    def see(self, line: bytes) -> None:
        self._before.update(self._last)
        self._last = line

    def check(self) -> None:
        """`ProtocolError` unless the lines seen are a whole export."""
        try:
            told = json.loads(self._last)["manifest"]["sha256"]
        except (ValueError, KeyError, TypeError):
            told = None
        if told != self._before.hexdigest():
            raise ProtocolError(
                "the export does not end with a manifest that fits it: it was broken off or changed on the way; "
                "throw it away and export again"
            )
