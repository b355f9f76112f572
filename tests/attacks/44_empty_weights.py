"""Weights without numbers, or with enormous ones, so that the expected answer is trivial or takes for ever.

exercise: 17
expect: failed error crashed
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


class Part:
    built = True

    def __init__(self, *shapes):
        self.kernel, self.bias = (keras.Variable(ops.zeros(shape)) for shape in shapes)


class Hollow(layers.Layer):
    made = 0

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        Hollow.made += 1
        width = 0 if Hollow.made % 2 else 400_000
        self.query_dense = Part((4, width), (width,))
        self.value_dense = Part((3, width), (width,))
        self.score_dense = Part((width, 1), (1,))

    def call(self, query, values, mask=None):
        weights = ops.ones_like(values[..., 0]) / values.shape[1]
        return ops.mean(values, axis=1), weights


BahdanauAttention = Hollow
