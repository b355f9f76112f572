"""Exercise 16: an LSTM cell.

Long short-term memory keeps two vectors: a cell c, to which things are added and from which they fade, and
a state h, the part of the cell that is shown. With [a, b] for a and b side by side along the last axis:

    forget    = sigmoid([h, x] w_forget + b_forget)          (..., U)
    input     = sigmoid([h, x] w_input + b_input)            (..., U)
    output    = sigmoid([h, x] w_output + b_output)          (..., U)
    candidate = tanh([h, x] w_candidate + b_candidate)       (..., U)
    c_next    = forget * c + input * candidate               (..., U)
    h_next    = output * tanh(c_next)                        (..., U)

(Hochreiter and Schmidhuber 1997, Long Short-Term Memory; the forget gate is from Gers, Schmidhuber and
Cummins 2000, Learning to Forget.) x is (..., D), h and c are (..., U); the leading "..." axes are the same
in all three, none or many. `params` is a dict of arrays: w_forget, w_input, w_output and w_candidate are
(U + D, U), b_forget, b_input, b_output and b_candidate are (U,).

The result stays finite and right where a sigmoid or a tanh is given 1000 or -1000.

float32 in gives float32 out; float64 and integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_16
"""

import numpy as np


def _sigmoid(x):
    """1 / (1 + exp(-x)), also for 1000 and -1000."""
    power = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, power) / (1 + power)


def lstm_cell(x, h, c, params):
    """Return (h_next, c_next)."""
    raise NotImplementedError("Write this part.")
