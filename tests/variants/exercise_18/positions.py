"""Sublayers made in build(), a Python loop over the positions, log-sum-exp."""

import keras
from keras import ops


class AttentionPooling(keras.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, states_shape):
        self.project = keras.layers.Dense(self.units, activation="tanh")
        self.score = keras.layers.Dense(1, use_bias=False)
        self.project.build(states_shape)
        self.score.build((None, self.units))

    def call(self, states, mask=None):
        rows = ops.unstack(states, axis=1)
        scores = ops.concatenate([self.score(self.project(row)) for row in rows], axis=-1)
        if mask is not None:
            mask = ops.not_equal(ops.cast(mask, "int32"), 0)
            scores = ops.where(mask, scores, -1e9)
        weights = ops.exp(scores - ops.logsumexp(scores, axis=-1, keepdims=True))
        if mask is not None:
            weights = ops.where(mask, weights, ops.zeros_like(weights))
        parts = [weights[:, index : index + 1] * row for index, row in enumerate(rows)]
        return sum(parts[1:], parts[0]), weights
