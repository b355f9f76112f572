"""Stops itself while the judge waits.

exercise: 01
expect: timeout
seconds: 0.7
"""

import os
import signal


def softmax(scores, axis=-1):
    os.kill(os.getpid(), signal.SIGSTOP)
    return scores
