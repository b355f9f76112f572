"""Exercise 15: a GRU cell.

A recurrent network reads one input after another and keeps a state. A gated recurrent unit decides, number
by number, how much of its state it replaces. With [a, b] for a and b side by side along the last axis:

    update    = sigmoid([h, x] w_update + b_update)              (..., U)
    reset     = sigmoid([h, x] w_reset + b_reset)                (..., U)
    candidate = tanh([reset * h, x] w_candidate + b_candidate)   (..., U)
    h_next    = (1 - update) * h + update * candidate            (..., U)

(Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder, section 2.3; gates as in Chung
et al. 2014, Empirical Evaluation of Gated Recurrent Neural Networks, section 3.2.) x is (..., D) and h
(..., U); the leading "..." axes are the same in both, none or many. `params` is a dict of arrays:
w_update, w_reset and w_candidate are (U + D, U), b_update, b_reset and b_candidate are (U,). The reset gate
acts on h before the candidate's kernel does.

The result stays finite and right where a sigmoid or a tanh is given 1000 or -1000.

float32 in gives float32 out; float64 and integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_15
"""

import numpy as np


def sigmoid(x):
    """Return 1 / (1 + exp(-x)), also for 1000 and -1000."""
    ### BEGIN SOLUTION
    power = np.exp(-np.abs(x))  # between 0 and 1: it cannot overflow
    return np.where(x >= 0, 1, power) / (1 + power)
    ### END SOLUTION


def gru_cell(x, h, params):
    """Return h_next."""
    ### BEGIN SOLUTION
    if x.dtype.kind != "f":
        x, h = x.astype(np.float64), h.astype(np.float64)
    joined = np.concatenate([h, x], axis=-1)  # (..., U + D)
    update = sigmoid(joined @ params["w_update"] + params["b_update"])  # (..., U)
    reset = sigmoid(joined @ params["w_reset"] + params["b_reset"])  # (..., U)
    kept = np.concatenate([reset * h, x], axis=-1)  # (..., U + D)
    candidate = np.tanh(kept @ params["w_candidate"] + params["b_candidate"])  # (..., U)
    return (1 - update) * h + update * candidate
    ### END SOLUTION
