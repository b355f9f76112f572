"""Sublayers made in build(), a Python loop over the positions, log-sum-exp."""

import keras
from keras import ops


class BahdanauAttention(keras.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, query_shape, values_shape):
        self.query_dense = keras.layers.Dense(self.units)
        self.value_dense = keras.layers.Dense(self.units)
        self.score_dense = keras.layers.Dense(1)
        self.query_dense.build(query_shape)
        self.value_dense.build(values_shape)
        self.score_dense.build((None, self.units))

    def call(self, query, values, mask=None):
        asked = self.query_dense(query)
        rows = [values[:, position] for position in range(values.shape[1])]
        scores = ops.concatenate(
            [self.score_dense(ops.tanh(asked + self.value_dense(row))) for row in rows], axis=1
        )
        if mask is not None:
            scores = ops.where(ops.cast(mask, "bool"), scores, -1e9)
        weights = ops.exp(scores - ops.logsumexp(scores, axis=1, keepdims=True))
        if mask is not None:
            weights = weights * ops.cast(mask, weights.dtype)
        context = ops.zeros_like(rows[0])
        for position, row in enumerate(rows):
            context = context + weights[:, position : position + 1] * row
        return context, weights

    def get_config(self):
        return {**super().get_config(), "units": self.units}
