"""All four by one matrix product; the plain sigmoid, which overflows to the right answer; a list."""

import numpy as np

ORDER = ("forget", "input", "output", "candidate")


def lstm_cell(x, h, c, params):
    if not np.issubdtype(x.dtype, np.floating):
        x, h, c = x * 1.0, h * 1.0, c * 1.0
    kernel = np.concatenate([params[f"w_{name}"] for name in ORDER], axis=1)
    bias = np.concatenate([params[f"b_{name}"] for name in ORDER])
    inner = np.concatenate((h, x), axis=-1) @ kernel + bias
    units = h.shape[-1]
    with np.errstate(over="ignore"):
        f, i, o = np.split(1 / (1 + np.exp(-inner[..., : 3 * units])), 3, axis=-1)
    c_next = i * np.tanh(inner[..., 3 * units :]) + f * c
    return [o * np.tanh(c_next), c_next]
