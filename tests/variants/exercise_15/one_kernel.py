"""Both gates by one matrix product; the plain sigmoid, which overflows to the right answer."""

import numpy as np


def gru_cell(x, h, params):
    if not np.issubdtype(x.dtype, np.floating):
        x, h = x * 1.0, h * 1.0
    kernel = np.concatenate([params["w_update"], params["w_reset"]], axis=1)
    bias = np.concatenate([params["b_update"], params["b_reset"]])
    with np.errstate(over="ignore"):
        gates = 1 / (1 + np.exp(-(np.concatenate((h, x), axis=-1) @ kernel + bias)))
    z, r = np.split(gates, 2, axis=-1)
    n = np.tanh(np.concatenate((h * r, x), axis=-1) @ params["w_candidate"] + params["b_candidate"])
    return z * n + (1 - z) * h
