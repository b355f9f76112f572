"""Looks through frames, the collector, modules and threads for an array that could be the answer.

exercise: 01
expect: failed
"""

import gc
import sys
import numpy as np


def softmax(scores, axis=-1):
    known = {id(scores)}
    found = []
    frames = [*sys._current_frames().values(), sys._getframe()]
    while frames:
        frame = frames.pop()
        if frame is None:
            continue
        frames.append(frame.f_back)
        found += [*frame.f_locals.values(), *frame.f_globals.values()]
    found += gc.get_objects()
    for module in list(sys.modules.values()):
        found += list(getattr(module, "__dict__", {}).values())
    for item in found:
        if isinstance(item, np.ndarray) and id(item) not in known and item.shape == scores.shape:
            if item.dtype.kind == "f" and item.size > 1 and np.allclose(item.sum(axis=axis), 1):
                print("BREACH: an answer lies about")
                return item
    for name in list(sys.modules):
        if name.split(".")[0] in ("grader", "suites", "solutions"):
            print("BREACH:", name)
    return np.zeros(scores.shape, scores.dtype if scores.dtype.kind == "f" else float)
