"""Everything as sums over named axes; the scale sits on the query, the softmax is a log-sum-exp."""

import numpy as np


def cross_attention(x, memory, w_query, w_key, w_value, w_output, mask=None):
    dtype = np.float32 if x.dtype == np.float32 else np.float64
    x, memory, w_query, w_key, w_value, w_output = (
        np.asarray(array, dtype=dtype) for array in (x, memory, w_query, w_key, w_value, w_output)
    )
    query = np.einsum("...qi,id->...qd", x, w_query) / np.sqrt(dtype(w_query.shape[1]))
    key = np.einsum("...ki,id->...kd", memory, w_key)
    scores = np.einsum("...qd,...kd->...qk", query, key)
    if mask is not None:
        scores = scores + np.where(mask, dtype(0), dtype(-np.inf))
    top = scores.max(-1, keepdims=True)
    top[np.isneginf(top)] = 0
    with np.errstate(divide="ignore"):
        log_total = top + np.log(np.exp(scores - top).sum(-1, keepdims=True))
    log_total[np.isneginf(log_total)] = 0
    weights = np.exp(scores - log_total)
    value = np.einsum("...ki,iv,vo->...ko", memory, w_value, w_output)
    return np.einsum("...qk,...ko->...qo", weights, value), weights
