"""Products of many numbers with few, on the thread that asks.

`@` would hand more than some thousand numbers to the threads of BLAS, which wait for each other by spinning: with both
cores of a machine busy, 0.1 ms becomes 8 ms (measured at 5,200 rows of 256 dimensions).
"""

import numpy as np

from memcairn.domain.turns import Bools, Floats


def along_all(vectors: Floats, direction: Floats) -> Floats:
    """The inner product of every row with `direction`."""
    products: Floats = np.vecdot(vectors, direction)
    return products


def weighed(weights: Floats, table: Floats | Bools) -> Floats:
    """The sum of the rows of `table`, each times its weight."""
    total: Floats = np.einsum("r,rc->c", weights, table)
    return total
