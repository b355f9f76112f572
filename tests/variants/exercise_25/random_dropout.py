"""Dropout and the norm's step written with ops, a method for each sublayer, relu as a layer of its own."""

import keras
from keras import layers, ops


class TransformerEncoderLayer(layers.Layer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if d_model // num_heads * num_heads != d_model:
            raise ValueError("d_model must be a multiple of num_heads")
        self.width, self.heads, self.inner_width, self.rate = d_model, num_heads, d_ff, dropout
        self.seeds = keras.random.SeedGenerator()
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads, dropout=0.0)
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.ffn_inner = layers.Dense(d_ff)
        self.relu = layers.ReLU()
        self.ffn_outer = layers.Dense(d_model)
        self.ffn_norm = layers.LayerNormalization(epsilon=1e-6)

    def dropped(self, x, training):
        if not training or self.rate == 0:
            return x
        kept = keras.random.uniform(ops.shape(x), seed=self.seeds) >= self.rate
        return ops.where(kept, x / (1 - self.rate), 0.0)

    def attend(self, x, attention_mask):
        if attention_mask is None:
            return self.self_attention(x, x)
        allowed = ops.not_equal(ops.cast(attention_mask, "int32"), 0)
        return self.self_attention(x, x, attention_mask=allowed)

    def call(self, x, attention_mask=None, training=None):
        x = self.attention_norm(self.dropped(self.attend(x, attention_mask), training) + x)
        return self.ffn_norm(self.dropped(self.ffn_outer(self.relu(self.ffn_inner(x))), training) + x)

    def get_config(self):
        config = super().get_config()
        config.update(d_model=self.width, num_heads=self.heads, d_ff=self.inner_width, dropout=self.rate)
        return config
