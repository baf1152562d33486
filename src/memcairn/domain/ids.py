"""Identifiers: UUID version 7, ordered by the time they were made."""

import os
import threading
import time

_lock = threading.Lock()
_last_tick = 0

_COUNTER_BITS = 12


def new_id() -> str:
    """A UUIDv7 in canonical form (RFC 9562, method 1 of section 6.2).

    Ids made by one process sort in the order they were made, also when the clock is set back: 48 bits of milliseconds
    and a 12-bit counter that runs over into the next millisecond.
    """
    global _last_tick
    with _lock:
        tick = (time.time_ns() // 1_000_000) << _COUNTER_BITS
        _last_tick = max(tick, _last_tick + 1)
        tick = _last_tick
    millis, counter = tick >> _COUNTER_BITS, tick & 0xFFF
    tail = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    value = (millis & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail
    # What `str(uuid.UUID(int=value))` gives, without the object: every message of a batch gets one.
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
