"""Ends by every exit there is, one per call, with the exit codes that mean success to others.

exercise: 01
expect: crashed error timeout failed
seconds: 1
"""

import ctypes
import os
import signal
import sys
import threading
import numpy as np


def softmax(scores, axis=-1):
    kind = os.urandom(1)[0] % 8
    libc = ctypes.CDLL(None)
    calls = (lambda: sys.exit(0), lambda: os._exit(0), lambda: os._exit(97), lambda: libc.exit(0), os.abort,
             lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: libc.syscall(60, 0), lambda: exit(0))
    calls[kind]()
    return scores
