"""Exercise 08: cross-attention.

Two sequences: every position of x looks into the memory (a decoder into the encoder's outputs, a question
into a text). Queries come from x, keys and values from the memory:

    Q, K, V = x w_query, memory w_key, memory w_value
    weights = softmax(Q K^T / sqrt(Dk))      (..., Tq, Tk), over the keys
    output  = weights V w_output             (..., Tq, Do)

(Vaswani et al. 2017, section 3.2.3; with one head.) x is (..., Tq, D) and memory (..., Tk, Dm), the leading
"..." axes the same in both, none or many. w_query is (D, Dk), w_key (Dm, Dk), w_value (Dm, Dv) and w_output
(Dv, Do); there are no biases. `mask` is boolean, True where a query may attend, and broadcasts against the
weights. A query that may attend to nothing gets weights of zero and an output of zero.

float32 in gives float32 out; float64 and integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_08
"""

import numpy as np


def _softmax(scores):
    """Softmax over the last axis as in exercise 01: stable, zeros where all scores are -inf."""
    largest = np.max(scores, axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = np.sum(powers, axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def cross_attention(x, memory, w_query, w_key, w_value, w_output, mask=None):
    """Return (output, weights)."""
    raise NotImplementedError("Write this part.")
