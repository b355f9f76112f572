"""Always along the last axis, after moving the wanted one there; zeros by `where=`."""

import numpy as np


def softmax(scores, axis=-1):
    dtype = scores.dtype if np.issubdtype(scores.dtype, np.floating) else np.float64
    rows = np.moveaxis(scores.astype(dtype), axis, -1)
    some = np.isfinite(rows).any(axis=-1)
    weights = np.zeros_like(rows)
    live = rows[some]
    live = np.exp(live - live.max(axis=-1)[..., None])
    weights[some] = live / live.sum(axis=-1)[..., None]
    return np.moveaxis(weights, -1, axis)
