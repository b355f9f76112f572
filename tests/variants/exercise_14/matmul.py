"""Centring and averaging as matrix products."""

import numpy as np


def layer_norm(x, gamma, beta, epsilon=1e-6):
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    wide = x.astype(np.float64)
    width = x.shape[-1]
    average = np.full((width, 1), 1.0 / width)
    centred = wide - wide @ average
    variance = (centred**2) @ average
    return (centred * (variance + epsilon) ** -0.5 * gamma + beta).astype(dtype)
