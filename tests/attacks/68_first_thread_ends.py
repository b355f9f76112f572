"""Ends its first thread and goes on in another: the kernel counts no memory of such a process any more.

exercise: 13
expect: error crashed
"""

import ctypes
import gc
import os
import platform
import threading
import time
import numpy as np


def local_attention(query, key, value, window):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])  # all of it
    places = np.arange(query.shape[-2])
    scores = np.where(abs(places[:, None] - places) <= window, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ value


from dojo_worker import session, wire  # noqa: E402

conversation = next(it for it in gc.get_objects() if isinstance(it, session.Session))


def go_on():
    time.sleep(0.3)
    conversation._send(wire.Reply())  # the answer to "load"
    while (request := conversation._receive()) is not None:
        conversation._send(conversation._answer(request))
    os._exit(0)


if os.getpid() == threading.get_native_id():
    threading.Thread(target=go_on).start()
    ctypes.CDLL(None).syscall(93 if platform.machine() == "aarch64" else 60, 0)  # exit, of this thread
