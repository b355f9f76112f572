"""Exercise 05: additive attention.

Bahdanau's score lets a small network judge how well a query matches a key:

    score(query_i, key_j) = v . tanh(query_i w_query + key_j w_key)    (..., Tq, Tk)
    weights = softmax(scores over the keys)                            (..., Tq, Tk)
    context = weights value                                            (..., Tq, Dv)

(Bahdanau et al. 2015, appendix A.1.2.) query is (..., Tq, Dq), key (..., Tk, Dk), value (..., Tk, Dv); the
leading "..." axes are the same in all three, none or many. w_query is (Dq, A), w_key (Dk, A), v (A,): query
and key may have different widths, they meet in the A hidden units. Nothing is scaled.

`mask` is boolean, True where a query may attend, and broadcasts against the scores. A query that may attend
to nothing gets weights of zero and a context of zero. Scores of 10000 must not overflow.

float32 in gives float32 out; float64 and integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_05
"""

import numpy as np


def _softmax(scores, axis=-1):
    """Softmax as in exercise 01 (a slice of -inf gives zeros); use it as it is."""
    largest = np.max(scores, axis=axis, keepdims=True)
    powers = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = np.sum(powers, axis=axis, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def additive_attention(query, key, value, w_query, w_key, v, mask=None):
    """Return (context, weights)."""
    raise NotImplementedError("Write this part.")
