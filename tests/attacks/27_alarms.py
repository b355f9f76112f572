"""Raises from signal handlers at a bad moment: while the worker converts and sends the answer.

exercise: 01
"""

import signal
import time


def shout(*_):
    raise KeyboardInterrupt("in the middle")


signal.signal(signal.SIGALRM, shout)
signal.signal(signal.SIGPROF, shout)


def softmax(scores, axis=-1):
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    return scores
