"""One state at a time, one number at a time."""

import math

import numpy as np


def logistic(a):
    if a < -700:
        return 0.0
    return 1.0 / (1.0 + math.exp(-a))


def lstm_cell(x, h, c, params):
    dtype = np.float32 if h.dtype == np.float32 else np.float64
    shown, kept = np.zeros(h.shape, dtype), np.zeros(h.shape, dtype)
    for place in np.ndindex(h.shape):
        vector = [float(v) for v in h[place[:-1]]] + [float(v) for v in x[place[:-1]]]

        def affine(gate, vector=vector, out=place[-1]):
            column = params["w_" + gate][:, out]
            total = sum(float(w) * v for w, v in zip(column, vector, strict=True))
            return total + float(params["b_" + gate][out])

        old = logistic(affine("forget")) * float(c[place])
        new = old + logistic(affine("input")) * math.tanh(affine("candidate"))
        kept[place] = new
        shown[place] = logistic(affine("output")) * math.tanh(new)
    return shown, kept
