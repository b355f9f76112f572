"""Einstein sums and a softmax written out, normalised in the context as well."""

import keras
from keras import ops


class BahdanauAttention(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.width = int(units)
        for name, width in (("query", units), ("value", units), ("score", 1)):
            setattr(self, f"{name}_dense", keras.layers.Dense(width))

    def get_config(self):
        config = super().get_config()
        config["units"] = self.width
        return config

    def call(self, query, values, mask=None):
        length = values.shape[1]
        repeated = ops.repeat(ops.expand_dims(self.query_dense(query), 1), length, axis=1)
        hidden = ops.tanh(ops.add(repeated, self.value_dense(values)))
        scores = ops.reshape(self.score_dense(hidden), (-1, length))
        if mask is None:
            allowed = ops.ones_like(scores, dtype="bool")
        else:
            allowed = ops.not_equal(ops.cast(mask, "int32"), 0)
        top = ops.max(ops.where(allowed, scores, -1e30), axis=-1, keepdims=True)
        powers = ops.where(allowed, ops.exp(ops.minimum(scores - top, 0.0)), 0.0)
        total = ops.sum(powers, axis=-1, keepdims=True)
        weights = powers / ops.where(total > 0, total, 1.0)
        return ops.einsum("bt,btd->bd", weights, values), weights
