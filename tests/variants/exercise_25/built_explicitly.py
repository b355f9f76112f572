"""Sublayers made and built in build(), relu by hand, the mask as numbers and of rank 4."""

import keras
from keras import ops


class TransformerEncoderLayer(keras.layers.Layer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        if d_model % num_heads != 0:
            raise ValueError(f"{num_heads} heads do not share {d_model} features")
        self.sizes = {"d_model": d_model, "num_heads": num_heads, "d_ff": d_ff, "dropout": dropout}

    def get_config(self):
        return super().get_config() | self.sizes

    def build(self, x_shape):
        width, heads = self.sizes["d_model"], self.sizes["num_heads"]
        self.self_attention = keras.layers.MultiHeadAttention(
            heads, width // heads, value_dim=width // heads
        )
        self.self_attention.build(x_shape, x_shape)
        self.ffn_inner = keras.layers.Dense(self.sizes["d_ff"])
        self.ffn_inner.build(x_shape)
        self.ffn_outer = keras.layers.Dense(width)
        self.ffn_outer.build((*x_shape[:-1], self.sizes["d_ff"]))
        for name in ("attention_norm", "ffn_norm"):
            norm = keras.layers.LayerNormalization(axis=-1, epsilon=1e-6)
            norm.build(x_shape)
            setattr(self, name, norm)
        self.drop_first = keras.layers.Dropout(self.sizes["dropout"])
        self.drop_second = keras.layers.Dropout(self.sizes["dropout"])
        self.built = True

    def call(self, x, attention_mask=None, training=None):
        if attention_mask is not None:
            mask = ops.cast(attention_mask, "float32")
            mask = ops.expand_dims(mask, 0) if len(mask.shape) == 2 else mask
            attention_mask = mask[:, None] > 0.5
        attended, _ = self.self_attention(
            query=x, value=x, key=x, attention_mask=attention_mask, return_attention_scores=True
        )
        states = self.attention_norm(ops.add(self.drop_first(attended, training=training), x))
        inner = ops.maximum(self.ffn_inner(states), 0.0)
        outer = self.drop_second(self.ffn_outer(inner), training=training)
        return self.ffn_norm(ops.add(outer, states))
