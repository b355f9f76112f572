"""Leaves what a removal trips over: thousands of nested folders, folders without permissions, odd names.

exercise: 01
expect: crashed error failed
"""

import os
import numpy as np


def softmax(scores, axis=-1):
    if scores.ndim == 2:
        return scores
    os.symlink("/", "root")
    os.symlink("..", "up")
    os.symlink("loop", "loop")
    for name in (b"\xff\xfe", b"-rf", b"a\nb", b"x" * 255):
        open(name, "w").close()
    old = os.umask(0)
    os.mkdir("locked", 0o300)
    open("locked/inside", "w").close()
    os.mkdir("closed", 0)
    os.umask(old)
    for _ in range(700):
        os.mkdir("d" * 100)
        open("f", "w").close()
        os.chdir("d" * 100)
    return scores
