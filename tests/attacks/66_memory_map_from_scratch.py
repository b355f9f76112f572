"""Results that are maps of files, truncated while they are read.

exercise: 03
expect: crashed failed
"""

import os
import threading
import numpy as np


def scaled_dot_product_attention(query, key, value, mask=None):
    shape = (*query.shape[:-1], value.shape[-1])
    weights = np.memmap("weights.bin", query.dtype, "w+", shape=(*query.shape[:-1], key.shape[-2]))
    context = np.memmap("context.bin", query.dtype, "w+", shape=shape)
    os.truncate("context.bin", 0)
    return context, weights
