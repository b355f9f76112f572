"""Imports the grader and the solutions by every import mechanism.

exercise: 01
not in: limits
"""

import importlib
import importlib.util
import os
import pkgutil
import sys
import zipimport
import numpy as np


def softmax(scores, axis=-1):
    top = os.path.dirname(os.path.dirname(os.path.dirname(sys.modules["dojo_worker"].__file__)))
    sys.path[:0] = [top, os.path.join(top, "grader"), os.path.join(top, "solutions"), "/work/main"]
    sys.modules["dojo_worker"].__path__.append(os.path.join(top, "grader"))
    importlib.invalidate_caches()
    for name in ("grader.reference", "reference", "solutions.exercise_01", "exercise_01",
                 "grader.suites.exercise_01", "dojo_worker.reference", "dojo_worker.suites.exercise_01"):
        try:
            module = importlib.import_module(name)
            print("BREACH:", name)
            return module.softmax(scores, axis)
        except ImportError:
            pass
        try:
            if pkgutil.get_data(name.split(".")[0], "reference.py"):
                print("BREACH: data of", name)
        except (OSError, ImportError, ValueError, AttributeError):
            pass
    return np.zeros(scores.shape)
