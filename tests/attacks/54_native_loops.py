"""Spends its time below Python, where no signal handler runs: integers, patterns, sorting, linear algebra.

exercise: 01
expect: timeout
seconds: 0.7
"""

import os
import re
import signal
import numpy as np

for number in (signal.SIGXCPU, signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)


def softmax(scores, axis=-1):
    kind = os.urandom(1)[0] % 4
    if kind == 0:
        return 7 ** (7**9)
    if kind == 1:
        return re.match(r"(a+)+$", "a" * 60 + "b")
    if kind == 2:
        return np.linalg.svd(np.ones((4000, 4000)))
    return sum(int("9" * 4000) ** 4000 for _ in range(10**6))
