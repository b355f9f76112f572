"""Sends what the server says to the judge: other processes' numbers, exit statuses, readiness.

exercise: 01
expect: crashed
"""

import os, socket, stat, struct, time
import numpy as np


def channel():
    """The judge's end is the only socket there is."""
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            continue
    raise RuntimeError("no channel")


def softmax(scores, axis=-1):
    link = socket.socket(fileno=os.dup(channel()))
    for line in (b'{"pid": 1}\n', b'{"status": 0}\n', b'{"ready": true}\n', b"!"):
        link.sendall(line * 50)
    return scores
