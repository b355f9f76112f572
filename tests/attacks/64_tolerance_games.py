"""Infinities, subnormal numbers, mixed precisions and broadcastable shapes, to slip through a tolerance.

exercise: 03
expect: failed
"""

import numpy as np


def scaled_dot_product_attention(query, key, value, mask=None):
    weights = np.full((*query.shape[:-1], key.shape[-2]), np.inf, query.dtype)
    context = np.full((*query.shape[:-1], value.shape[-1]), np.float32(1e-45))
    context[..., :1] = np.nan
    return context, np.where(weights > 0, np.inf, -np.inf)
