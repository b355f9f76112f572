"""One vector at a time, one number at a time."""

import numpy as np


def layer_norm(x, gamma, beta, epsilon=1e-6):
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    result = np.empty_like(x)
    for index in np.ndindex(x.shape[:-1]):
        row = x[index]
        width = len(row)
        mean = sum(row) / width
        variance = sum((value - mean) ** 2 for value in row) / width
        for d in range(width):
            result[(*index, d)] = gamma[d] * (row[d] - mean) / np.sqrt(variance + epsilon) + beta[d]
    return result
