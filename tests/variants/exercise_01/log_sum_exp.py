"""By way of the logarithm: softmax = exp(scores - logsumexp(scores))."""

import numpy as np


def softmax(scores, axis=-1):
    x = np.array(scores, dtype=np.result_type(scores, np.float32) if scores.dtype.kind == "f" else float)
    top = x.max(axis=axis, keepdims=True)
    top[~np.isfinite(top)] = 0
    with np.errstate(divide="ignore"):
        log_total = np.log(np.exp(x - top).sum(axis=axis, keepdims=True))
    return np.exp(x - top - np.maximum(log_total, -1e30))
