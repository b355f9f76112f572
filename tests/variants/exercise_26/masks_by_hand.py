"""Sublayers made and built in build(), both masks made by hand and of full size, relu by hand."""

import keras
from keras import ops


class TransformerDecoderLayer(keras.layers.Layer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        if d_model % num_heads != 0:
            raise ValueError(f"{num_heads} heads do not share {d_model} features")
        self.sizes = {"d_model": d_model, "num_heads": num_heads, "d_ff": d_ff, "dropout": dropout}

    def get_config(self):
        return super().get_config() | self.sizes

    def build(self, x_shape, memory_shape):
        width, heads, rate = (self.sizes[name] for name in ("d_model", "num_heads", "dropout"))
        for name, keys in (("self_attention", x_shape), ("cross_attention", memory_shape)):
            attention = keras.layers.MultiHeadAttention(heads, width // heads, output_shape=width)
            attention.build(x_shape, keys)
            setattr(self, name, attention)
        for name in ("self_attention_norm", "cross_attention_norm", "ffn_norm"):
            norm = keras.layers.LayerNormalization(axis=-1, epsilon=1e-6)
            norm.build(x_shape)
            setattr(self, name, norm)
        self.ffn_inner = keras.layers.Dense(self.sizes["d_ff"])
        self.ffn_inner.build(x_shape)
        self.ffn_outer = keras.layers.Dense(width)
        self.ffn_outer.build((*x_shape[:-1], self.sizes["d_ff"]))
        self.drops = [keras.layers.Dropout(rate) for _ in range(3)]
        self.built = True

    def call(self, x, memory, memory_mask=None, training=None):
        queries, keys = x.shape[1], memory.shape[1]
        positions = ops.arange(queries)
        causal = ops.expand_dims(positions, 1) >= ops.expand_dims(positions, 0)
        real = ops.ones_like(memory[:, :, 0]) if memory_mask is None else ops.cast(memory_mask, "float32")
        real = ops.broadcast_to(real[:, None, None, :], (ops.shape(x)[0], 1, queries, keys)) > 0.5
        attended, _ = self.self_attention(x, x, attention_mask=causal, return_attention_scores=True)
        states = self.self_attention_norm(ops.add(self.drops[0](attended, training=training), x))
        crossed, _ = self.cross_attention(states, memory, attention_mask=real, return_attention_scores=True)
        states = self.cross_attention_norm(ops.add(self.drops[1](crossed, training=training), states))
        inner = ops.maximum(self.ffn_inner(states), 0.0)
        outer = self.drops[2](self.ffn_outer(inner), training=training)
        return self.ffn_norm(ops.add(outer, states))
