"""Arrays of objects, records, strings and dates; numbers of every odd type; cycles and lists of lists.

exercise: 01
expect: failed error
"""

import collections
import datetime
import decimal
import fractions
import numpy as np

calls = []


class Number(float):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __float__(self):
        raise SystemExit

    __repr__ = __str__ = __float__


def softmax(scores, axis=-1):
    loop = []
    loop.append(loop)
    odd = [np.array([Number(1)], object), np.zeros(3, [("a", "f8", (3,))]), np.array(["x"] * 3), np.datetime64("NaT"),
           np.ma.masked_all(scores.shape), np.matrix([[1.0]]), Number(0.5), decimal.Decimal("NaN"), fractions.Fraction(1, 3),
           2**10000, -0.0, 1e400, complex("nan"), loop, {Number(1): loop}, collections.UserList([1]), memoryview(b"x"),
           np.zeros(scores.shape, np.longdouble), np.array(0.5), type, softmax, datetime.date.min, b"x" * 10**7,
           [None] * 9999, {"x" * 10**6: 1}, np.zeros((1,) * 33) if hasattr(np, "zeros") and False else np.zeros((1,) * 20)]
    calls.append(1)
    return odd[len(calls) % len(odd)]
