"""Fills the memory with page tables, which no count of its memory shows.

exercise: 17
stop after: 3
"""

import keras
from keras import layers, ops


class BahdanauAttention(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.query_dense = layers.Dense(units, name="query_dense")
        self.value_dense = layers.Dense(units, name="value_dense")
        self.score_dense = layers.Dense(1, name="score_dense")

    def call(self, query, values, mask=None):
        hidden = ops.tanh(self.query_dense(query)[:, None] + self.value_dense(values))
        weights = ops.softmax(self.score_dense(hidden)[..., 0], axis=-1)
        return ops.mean(values, axis=1), weights

    def get_config(self):
        return {**super().get_config(), "units": self.units}


import mmap

kept = []
reached = 0
try:
    while reached < 2**40:
        kept.append(mmap.mmap(-1, 2**33, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ))
        for place in range(0, 2**33, 2**21):
            kept[-1][place]
        reached += 2**33
except (OSError, MemoryError):
    pass
print("reached", reached >> 30, "GiB")
if reached >= 2**37:
    print("BREACH: page tables")
