"""Mean and variance by einsum, the scale folded into one factor."""

import numpy as np


def layer_norm(x, gamma, beta, epsilon=1e-6):
    x, gamma, beta = (np.asarray(a, a.dtype if a.dtype.kind == "f" else float) for a in (x, gamma, beta))
    width = x.shape[-1]
    mean = np.einsum("...d->...", x) / x.dtype.type(width)
    centred = x - mean[..., None]
    variance = np.einsum("...d,...d->...", centred, centred) / x.dtype.type(width)
    factor = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    return np.einsum("...d,...,d->...d", centred, factor, gamma) + beta
