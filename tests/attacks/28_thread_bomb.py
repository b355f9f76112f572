"""As many threads as there can be, with stacks as small as can be.

exercise: 01
expect: crashed timeout
seconds: 2
"""

import _thread
import threading
import time

threading.stack_size(32 * 1024)
gate = _thread.allocate_lock()
gate.acquire()


def softmax(scores, axis=-1):
    while True:
        try:
            while True:
                _thread.start_new_thread(gate.acquire, ())
        except RuntimeError:
            time.sleep(0.01)
