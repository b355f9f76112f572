"""The memory's mask as value_mask, no get_config (Keras keeps the arguments), one Dropout for all."""

import keras
from keras import layers


@keras.saving.register_keras_serializable(package="attention_dojo")
class TransformerDecoderLayer(keras.Layer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        key_dim, rest = divmod(d_model, num_heads)
        if rest:
            raise ValueError("indivisible")
        self.self_attention = layers.MultiHeadAttention(num_heads=num_heads, key_dim=key_dim)
        self.cross_attention = layers.MultiHeadAttention(num_heads=num_heads, key_dim=key_dim)
        self.ffn_inner = layers.Dense(d_ff, "relu")
        self.ffn_outer = layers.Dense(d_model)
        for name in ("self_attention", "cross_attention", "ffn"):
            setattr(self, f"{name}_norm", layers.LayerNormalization(epsilon=1e-6))
        self.drop = layers.Dropout(dropout)

    def call(self, x, memory, memory_mask=None, training=None):
        x = self.self_attention_norm(x + self.drop(self.self_attention(x, x, x, use_causal_mask=True)))
        crossed = self.cross_attention(query=x, value=memory, value_mask=memory_mask)
        x = self.cross_attention_norm(x + self.drop(crossed))
        return self.ffn_norm(x + self.drop(self.ffn_outer(self.ffn_inner(x))))
