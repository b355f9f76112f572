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
    raise NotImplementedError("Write this part.")
