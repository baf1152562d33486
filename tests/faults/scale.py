"""How much of a fault is injected: a short form in every run, the long one at night (`scripts/test --faults`)."""

import os

NIGHTLY = os.environ.get("MEMCAIRN_TEST_FAULTS") == "nightly"


def times(short: int, nightly: int) -> int:
    """How many rounds, images or cases this run makes."""
    return nightly if NIGHTLY else short
