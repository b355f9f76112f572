"""The kernels cut into a state's and an input's part; a sigmoid by tanh."""

import numpy as np


def squash(a):
    return 0.5 * (np.tanh(0.5 * a) + 1)


def lstm_cell(x, h, c, params):
    dtype = np.float32 if x.dtype == np.float32 else np.float64
    x, h, c = x.astype(dtype), h.astype(dtype), c.astype(dtype)
    units = h.shape[-1]

    def affine(gate):
        kernel = params["w_" + gate].astype(dtype)
        from_state = np.einsum("...u,uv->...v", h, kernel[:units])
        from_input = np.einsum("...d,dv->...v", x, kernel[units:])
        return from_state + from_input + params["b_" + gate]

    cell = squash(affine("forget")) * c
    cell += squash(affine("input")) * np.tanh(affine("candidate"))
    return np.tanh(cell) * squash(affine("output")), cell
