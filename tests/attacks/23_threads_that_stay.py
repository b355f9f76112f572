"""Threads that go on when the answer is given: they write to every descriptor and allocate.

exercise: 01
expect: crashed failed timeout
"""

import os
import threading
import time
import numpy as np


def work():
    kept = []
    while True:
        kept.append(bytearray(2**20))
        for fd in range(3, 16):
            try:
                os.write(fd, b"\0\0\0\1\xc0")
            except OSError:
                pass
        time.sleep(0.001)


for _ in range(8):
    threading.Thread(target=work, daemon=False).start()


def softmax(scores, axis=-1):
    return np.full(scores.shape, 1 / scores.shape[axis])
