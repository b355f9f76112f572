"""Right in shape, dtype, range and sums; copies of the mask; values of another attention.

exercise: 03
expect: failed
"""

import numpy as np


def scaled_dot_product_attention(query, key, value, mask=None):
    shape = np.broadcast_shapes(query.shape[:-2], key.shape[:-2]) + (query.shape[-2], key.shape[-2])
    allowed = np.ones(shape, bool) if mask is None else np.broadcast_to(mask, shape)
    total = allowed.sum(axis=-1, keepdims=True)
    dtype = query.dtype if query.dtype.kind == "f" else np.float64
    weights = (allowed / np.where(total == 0, 1, total)).astype(dtype)
    return (weights @ value).astype(dtype), weights
