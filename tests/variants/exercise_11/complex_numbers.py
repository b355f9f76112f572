"""A pair of columns is one complex number: cos + i sin; an outer product gives all angles."""

import numpy as np


def positional_encoding(length, d_model, base=10000.0):
    pairs = np.arange((d_model + 1) // 2)
    turns = np.exp(
        1j * np.einsum("t,p->tp", np.arange(length, dtype=float), base ** (-2 * pairs / d_model))
    )
    both = np.stack([turns.imag, turns.real], axis=-1).reshape(length, -1)
    return both[:, :d_model].astype("float32")
