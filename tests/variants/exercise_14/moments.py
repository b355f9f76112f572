"""np.mean and np.var, standardised first."""

import numpy as np


def layer_norm(x, gamma, beta, epsilon=1e-6):
    x = np.asarray(x, dtype=np.result_type(x, np.float32) if x.dtype.kind == "f" else np.float64)
    mean = x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    return ((x - mean) / np.sqrt(variance + epsilon) * gamma + beta).astype(x.dtype)
