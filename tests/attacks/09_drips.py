"""Answers byte by byte, always in time for the next byte, never done.

exercise: 01
expect: timeout
seconds: 0.7
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
    link.sendall(struct.pack("!I", 60 * 2**20))
    while True:
        link.sendall(b"\x91")
        time.sleep(0.001)
