"""No get_config (Keras keeps the arguments), one Dropout for both, sums with keras.layers.Add."""

import keras
from keras import layers


@keras.saving.register_keras_serializable(package="attention_dojo")
class TransformerEncoderLayer(keras.Layer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        key_dim, rest = divmod(d_model, num_heads)
        if rest:
            raise ValueError("indivisible")
        self.self_attention = layers.MultiHeadAttention(num_heads=num_heads, key_dim=key_dim)
        self.ffn_inner = layers.Dense(d_ff, "relu")
        self.ffn_outer = layers.Dense(d_model)
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.ffn_norm = layers.LayerNormalization(epsilon=1e-6)
        self.drop = layers.Dropout(dropout)
        self.add = layers.Add()

    def call(self, x, attention_mask=None, training=None):
        sublayers = [
            (lambda y: self.self_attention(y, y, y, attention_mask=attention_mask), self.attention_norm),
            (lambda y: self.ffn_outer(self.ffn_inner(y)), self.ffn_norm),
        ]
        for sublayer, norm in sublayers:
            # `training` reaches the Dropout layer by itself.
            x = norm(self.add([x, self.drop(sublayer(x))]))
        return x
