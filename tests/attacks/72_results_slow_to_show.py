"""Results that take minutes to be shown: hundreds of arrays of complex numbers where a few words belong.

exercise: 20
expect: failed
"""

import numpy as np

MANY = [np.random.default_rng(0).normal(size=1000) * (1 + 1j)] * 400


def greedy_decode(step, state, bos, eos, max_length):
    return MANY


def beam_search(step, state, bos, eos, beam_width, max_length, length_penalty=0.0):
    return MANY, 0.0
