"""Recursion without end, in Python and below it: repr, compile, pickle, copy, comparisons.

exercise: 01
seconds: 0.8
"""

import ast
import copy
import os
import sys
import numpy as np

sys.setrecursionlimit(10**9)
calls = []


class Self:
    def __repr__(self):
        return repr(self)

    def __eq__(self, other):
        return self == other

    def __getattr__(self, name):
        return getattr(self, name)


def softmax(scores, axis=-1):
    calls.append(1)
    deep = []
    for _ in range(10**6):
        deep = [deep]
    kind = os.urandom(1)[0] % 6
    if kind == 0:
        return repr(Self())
    if kind == 1:
        return copy.deepcopy(deep)
    if kind == 2:
        return compile("-" * 10**6 + "1", "x", "eval")
    if kind == 3:
        return str(deep)
    if kind == 4:
        return softmax(scores)
    return deep
