"""Einstein sums, the scale in the query, a large negative number and zeroing instead of -inf."""

import numpy as np


def scaled_dot_product_attention(query, key, value, mask=None):
    dtype = query.dtype if query.dtype.kind == "f" else np.dtype(np.float64)
    query, key, value = (x.astype(dtype) for x in (query, key, value))
    scores = np.einsum("...id,...jd->...ij", query / np.sqrt(query.shape[-1]).astype(dtype), key)
    if mask is not None:
        scores = scores + np.where(mask, 0, np.finfo(dtype).min / 4).astype(dtype)
    scores -= scores.max(-1, keepdims=True)
    weights = np.exp(scores)
    if mask is not None:
        weights = weights * mask
    total = weights.sum(-1, keepdims=True)
    weights = (weights / np.where(total > 0, total, 1)).astype(dtype)
    return np.einsum("...ij,...jv->...iv", weights, value), weights
