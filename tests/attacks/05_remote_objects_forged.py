"""Returns handles, generators and callbacks of the judge, real ones of the wire module and look-alikes.

exercise: 01
expect: failed
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


from dojo_worker import wire

kinds = [wire.Handle, wire.Generator, wire.Callback]
calls = []


class Handle(wire.Handle):
    def __eq__(self, other):
        return True


def softmax(scores, axis=-1):
    calls.append(1)
    if len(calls) % 4 == 3:
        return Handle(2**62)
    return kinds[len(calls) % 3]((-1, 0, 2**62)[len(calls) % 3])
