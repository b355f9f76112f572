"""The activation as a function of its own, Einstein sums, a softmax written out."""

import keras
from keras import ops


class AttentionPooling(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.project = keras.layers.Dense(units)
        self.score = keras.layers.Dense(1, use_bias=False)

    def call(self, states, mask=None):
        scores = ops.reshape(self.score(ops.tanh(self.project(states))), (-1, states.shape[1]))
        allowed = ops.ones_like(scores) if mask is None else ops.cast(mask, scores.dtype)
        top = ops.max(ops.where(allowed > 0, scores, -1e30), axis=-1, keepdims=True)
        powers = ops.exp(ops.minimum(scores - top, 0.0)) * allowed
        weights = powers / ops.maximum(ops.sum(powers, axis=-1, keepdims=True), 1e-20)
        return ops.einsum("bt,btd->bd", weights, states), weights

    def get_config(self):
        config = super().get_config()
        config.update(units=self.units)
        return config
