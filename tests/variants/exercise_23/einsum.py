"""Einstein sums over (B, T, H, D/H), without moving an axis; -inf masked by its own zeroing."""

import keras
from keras import ops


class MultiHeadAttention(keras.layers.Layer):
    def __init__(self, num_heads, d_model, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        if d_model % num_heads != 0:
            raise ValueError("d_model must be a multiple of num_heads")
        self.heads, self.width, self.rate = num_heads, d_model, dropout
        for name in ("query", "key", "value", "output"):
            setattr(self, f"{name}_dense", keras.layers.Dense(d_model))
        self.drop = keras.layers.Dropout(dropout)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.heads,
            "d_model": self.width,
            "dropout": self.rate,
        }

    def call(
        self,
        query,
        value,
        key=None,
        attention_mask=None,
        return_attention_scores=False,
        use_causal_mask=False,
        training=None,
    ):
        if key is None:
            key = value
        shape = (self.heads, self.width // self.heads)
        q, k, v = (
            ops.reshape(dense(x), (ops.shape(x)[0], x.shape[1], *shape))
            for dense, x in ((self.query_dense, query), (self.key_dense, key), (self.value_dense, value))
        )
        scores = ops.einsum("bqhd,bkhd->bhqk", q, k) / (shape[1] ** 0.5)
        allowed = ops.ones_like(scores, dtype="bool")
        if attention_mask is not None:
            mask = ops.not_equal(ops.cast(attention_mask, "int32"), 0)
            mask = ops.expand_dims(mask, 1) if len(mask.shape) == 3 else mask
            allowed = ops.logical_and(allowed, mask)
        if use_causal_mask:
            ones = ops.ones((q.shape[1], k.shape[1]), dtype="int32")
            allowed = ops.logical_and(allowed, ops.cast(ops.tril(ones), "bool"))
        top = ops.max(ops.where(allowed, scores, -1e30), axis=-1, keepdims=True)
        powers = ops.where(allowed, ops.exp(ops.minimum(scores - top, 0.0)), 0.0)
        total = ops.sum(powers, axis=-1, keepdims=True)
        weights = powers / ops.where(total > 0, total, 1.0)
        context = ops.einsum("bhqk,bkhd->bqhd", self.drop(weights, training=training), v)
        output = self.output_dense(ops.reshape(context, (ops.shape(query)[0], query.shape[1], self.width)))
        if return_attention_scores:
            return output, weights
        return output
