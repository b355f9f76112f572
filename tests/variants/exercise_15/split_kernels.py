"""The kernels cut into a state's and an input's part; a sigmoid by tanh."""

import numpy as np


def squash(a):
    return 0.5 * (np.tanh(0.5 * a) + 1)


def gru_cell(x, h, params):
    dtype = np.float32 if x.dtype == np.float32 else np.float64
    x, h = x.astype(dtype), h.astype(dtype)
    units = h.shape[-1]

    def affine(state, gate):
        kernel = params["w_" + gate].astype(dtype)
        from_state = np.einsum("...u,uv->...v", state, kernel[:units])
        from_input = np.einsum("...d,dv->...v", x, kernel[units:])
        return from_state + from_input + params["b_" + gate]

    z = squash(affine(h, "update"))
    r = squash(affine(h, "reset"))
    n = np.tanh(affine(r * h, "candidate"))
    return h + z * (n - h)
