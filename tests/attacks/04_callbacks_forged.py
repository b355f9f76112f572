"""Asks the judge to call functions of its own, thousands at once, before any answer is read.

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
    from dojo_worker import wire

    frames = b"".join(wire.encode_reply(wire.Reply(value=[scores], callback=n % 5)) for n in range(5000))
    link = socket.socket(fileno=os.dup(channel()))
    link.sendall(frames)
    time.sleep(0.2)
    return scores
