"""Exercise 04: score functions.

How well does a query match a key? Four answers, each a matrix of scores (..., Tq, Tk):

    "dot"         query . key
    "scaled_dot"  query . key / sqrt(D)           (Vaswani et al. 2017, section 3.2.1)
    "general"     query . w . key                 (Luong et al. 2015, section 3.1)
    "cosine"      query . key / (|query| |key|)   (Graves et al. 2014, section 3.3.1)

query is (..., Tq, Dq), key (..., Tk, Dk); the leading "..." axes are the same in both, none or many. Only
"general" uses `w`, (Dq, Dk), and only there may the widths differ. |a| is the Euclidean length of one
vector. A vector of zeros has cosine 0 with everything; for every other vector, however short, the cosine
is exact: no small number is added to the lengths.

An unknown kind, or "general" without w, raises ValueError. float32 in gives float32 out; float64 and
integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_04
"""

import numpy as np


def attention_scores(query, key, kind="scaled_dot", w=None):
    """Return the scores of every query with every key, (..., Tq, Tk)."""
    ### BEGIN SOLUTION
    if kind not in ("dot", "scaled_dot", "general", "cosine"):
        raise ValueError(f"unknown kind {kind!r}")
    if kind == "general" and w is None:
        raise ValueError("the kind 'general' needs w")
    if query.dtype.kind != "f":
        query, key = query.astype(np.float64), key.astype(np.float64)
    if kind == "general":
        query = query @ w  # (..., Tq, Dk)
    scores = query @ np.swapaxes(key, -1, -2)  # (..., Tq, Tk)
    if kind == "scaled_dot":
        scores = scores / query.dtype.type(np.sqrt(query.shape[-1]))
    if kind == "cosine":
        query_length = np.sqrt(np.sum(query * query, axis=-1))[..., :, np.newaxis]  # (..., Tq, 1)
        key_length = np.sqrt(np.sum(key * key, axis=-1))[..., np.newaxis, :]  # (..., 1, Tk)
        # Where a length is 0, so is the dot product: any other divisor gives the 0 we want.
        query_length = np.where(query_length == 0, 1, query_length)
        key_length = np.where(key_length == 0, 1, key_length)
        scores = scores / query_length / key_length
    return scores
    ### END SOLUTION
