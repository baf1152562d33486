"""Products of many vectors with one."""

import numpy as np

from memcairn.domain.turns import Floats


def along_all(vectors: Floats, direction: Floats) -> Floats:
    """The inner product of every row with `direction`, on the thread that asks.

    `@` would hand more than some thousand rows to the threads of BLAS, which wait for each other by spinning: with both
    cores of a machine busy, 0.1 ms becomes 8 ms (measured at 5,200 rows of 256 dimensions).
    """
    products: Floats = np.vecdot(vectors, direction)
    return products
