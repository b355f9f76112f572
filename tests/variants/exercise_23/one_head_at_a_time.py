"""A Python loop over the heads, additive mask, sublayers in build()."""

import keras
from keras import ops


class MultiHeadAttention(keras.Layer):
    def __init__(self, num_heads, d_model, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        if d_model % num_heads:
            raise ValueError(f"{d_model} is not divisible by {num_heads}")
        self.num_heads = num_heads
        self.d_model = d_model
        self.dropout = dropout
        self.query_dense = keras.layers.Dense(d_model)
        self.key_dense = keras.layers.Dense(d_model)
        self.value_dense = keras.layers.Dense(d_model)
        self.output_dense = keras.layers.Dense(d_model)
        self.seed_generator = keras.random.SeedGenerator()

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
        key = value if key is None else key
        q, k, v = self.query_dense(query), self.key_dense(key), self.value_dense(value)
        size = self.d_model // self.num_heads
        contexts, all_weights = [], []
        for head in range(self.num_heads):
            part = slice(head * size, (head + 1) * size)
            scores = ops.matmul(q[..., part], ops.swapaxes(k[..., part], 1, 2)) / ops.sqrt(float(size))
            keep = self._keep(attention_mask, head, use_causal_mask, query.shape[1], value.shape[1])
            if keep is not None:
                scores = scores + (1.0 - keep) * -1e9
            weights = ops.softmax(scores)
            if keep is not None:
                weights = weights * keep
            all_weights.append(weights)
            if training and self.dropout:
                weights = keras.random.dropout(weights, self.dropout, seed=self.seed_generator)
            contexts.append(ops.matmul(weights, v[..., part]))
        output = self.output_dense(ops.concatenate(contexts, axis=-1))
        return (output, ops.stack(all_weights, axis=1)) if return_attention_scores else output

    def _keep(self, mask, head, causal, query_length, key_length):
        keep = None
        if mask is not None:
            keep = ops.cast(mask, "float32")
            if len(keep.shape) == 4:
                keep = keep[:, head if keep.shape[1] > 1 else 0]
        if causal:
            triangle = ops.tril(ops.ones((query_length, key_length)))
            keep = triangle if keep is None else keep * triangle
        return keep

    def get_config(self):
        config = super().get_config()
        config.update(num_heads=self.num_heads, d_model=self.d_model, dropout=self.dropout)
        return config
