"""One state at a time, one number at a time."""

import math

import numpy as np


def logistic(a):
    if a < -700:
        return 0.0
    return 1.0 / (1.0 + math.exp(-a))


def gru_cell(x, h, params):
    result = np.zeros(h.shape, np.float32 if h.dtype == np.float32 else np.float64)
    units = h.shape[-1]
    for place in np.ndindex(h.shape[:-1]):
        state, given = [float(v) for v in h[place]], [float(v) for v in x[place]]

        def affine(gate, vector, out):
            column = params["w_" + gate][:, out]
            total = sum(float(w) * v for w, v in zip(column, vector, strict=True))
            return total + float(params["b_" + gate][out])

        resets = [logistic(affine("reset", state + given, j)) for j in range(units)]
        kept = [r * s for r, s in zip(resets, state, strict=True)]
        for j in range(units):
            update = logistic(affine("update", state + given, j))
            candidate = math.tanh(affine("candidate", kept + given, j))
            result[(*place, j)] = (1 - update) * state[j] + update * candidate
    return result
