"""One method for dropout, residual and norm; dropout with keras.random; a method for each attention."""

import keras
from keras import layers, ops


class TransformerDecoderLayer(layers.Layer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if d_model // num_heads * num_heads != d_model:
            raise ValueError("d_model must be a multiple of num_heads")
        self.width, self.heads, self.inner_width, self.rate = d_model, num_heads, d_ff, dropout
        self.seeds = keras.random.SeedGenerator()
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads, dropout=0.0)
        self.self_attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.cross_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads, dropout=0.0)
        self.cross_attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.ffn_inner = layers.Dense(d_ff)
        self.ffn_outer = layers.Dense(d_model)
        self.ffn_norm = layers.LayerNormalization(epsilon=1e-6)

    def around(self, x, output, norm, training):
        if training and self.rate > 0:
            output = keras.random.dropout(output, self.rate, seed=self.seeds)
        return norm(ops.add(x, output))

    def attend(self, x):
        triangle = ops.tril(ops.ones((x.shape[1], x.shape[1]), dtype="int32"))
        return self.self_attention(x, x, attention_mask=ops.expand_dims(triangle, 0))

    def cross(self, x, memory, mask):
        if mask is None:
            return self.cross_attention(x, memory, key=memory)
        mask = ops.repeat(ops.not_equal(ops.cast(mask, "int32"), 0)[:, None], x.shape[1], axis=1)
        return self.cross_attention(x, memory, key=memory, attention_mask=mask)

    def call(self, x, memory, memory_mask=None, training=None):
        x = self.around(x, self.attend(x), self.self_attention_norm, training)
        x = self.around(x, self.cross(x, memory, memory_mask), self.cross_attention_norm, training)
        return self.around(x, self.ffn_outer(ops.relu(self.ffn_inner(x))), self.ffn_norm, training)

    def get_config(self):
        config = super().get_config()
        config.update(d_model=self.width, num_heads=self.heads, d_ff=self.inner_width, dropout=self.rate)
        return config
