"""Results that are maps of files, truncated while they are read.

exercise: 03
expect: crashed failed
"""

import os
import threading
import numpy as np


def scaled_dot_product_attention(query, key, value, mask=None):
    shape = (*query.shape[:-1], value.shape[-1])
    for name in ("weights.bin", "context.bin"):
        with open(name, "wb") as file:
            file.write(bytes(8 * 4096))
    weights = np.memmap("weights.bin", query.dtype, "c", shape=(*query.shape[:-1], key.shape[-2]))
    context = np.memmap("context.bin", query.dtype, "c", shape=shape)
    os.truncate("context.bin", 0)
    return context, weights
