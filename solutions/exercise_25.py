"""Exercise 25: the Transformer's encoder layer.

Two sublayers, each with a residual connection around it, and a layer normalisation after that:

    x      = LayerNorm(x + Dropout(self-attention of x))
    output = LayerNorm(x + Dropout(feed-forward network of x))      both (B, T, d_model)

    feed-forward network of x = ffn_outer(relu(ffn_inner(x))), at each position alone

(Vaswani et al. 2017, Attention Is All You Need, sections 3.1 to 3.3. This is "post-norm": the norm comes
after the sum.) The sublayers are called

    self_attention    keras.layers.MultiHeadAttention(num_heads, d_model // num_heads)
    attention_norm    LayerNormalization, epsilon 1e-6
    ffn_inner         Dense of d_ff features, with relu
    ffn_outer         Dense of d_model features
    ffn_norm          LayerNormalization, epsilon 1e-6

Dropout, in training only, acts on what each of the two sublayers returns, and on nothing else: not on the
attention weights, not between the two Dense layers.

`attention_mask` is True (or 1) where a position may attend to another: (B, T, T) or (T, T). What comes out
where nothing may be attended to is free, as long as it is finite. A d_model that num_heads does not divide
raises ValueError in the constructor.

Check your work with:  python -m grader exercise_25
"""

import keras
from keras import layers


@keras.saving.register_keras_serializable(package="attention_dojo")
class TransformerEncoderLayer(layers.Layer):
    """Self-attention and a feed-forward network, with residual connections and post-norm.

    Args:
        d_model: Width of the states that come in and go out.
        num_heads: How many heads. Raises ValueError unless d_model is divisible by it.
        d_ff: Width inside the feed-forward network.
        dropout: Share of each sublayer's output that is dropped in training.
    """

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        ### BEGIN SOLUTION
        if d_model % num_heads:
            raise ValueError(f"d_model must be divisible by num_heads. Received: {d_model} and {num_heads}")
        self.d_model = d_model
        self.num_heads = num_heads
        self.d_ff = d_ff
        self.dropout = dropout
        self.self_attention = layers.MultiHeadAttention(
            num_heads, d_model // num_heads, name="self_attention"
        )
        self.attention_dropout = layers.Dropout(dropout, name="attention_dropout")
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6, name="attention_norm")
        self.ffn_inner = layers.Dense(d_ff, activation="relu", name="ffn_inner")
        self.ffn_outer = layers.Dense(d_model, name="ffn_outer")
        self.ffn_dropout = layers.Dropout(dropout, name="ffn_dropout")
        self.ffn_norm = layers.LayerNormalization(epsilon=1e-6, name="ffn_norm")
        ### END SOLUTION

    def call(self, x, attention_mask=None, training=None):
        """Return the new states (B, T, d_model) for states x (B, T, d_model)."""
        ### BEGIN SOLUTION
        attended = self.self_attention(x, x, attention_mask=attention_mask)  # (B, T, d_model)
        attended = self.attention_dropout(attended, training=training)
        x = self.attention_norm(x + attended)
        hidden = self.ffn_inner(x)  # (B, T, d_ff)
        transformed = self.ffn_outer(hidden)  # (B, T, d_model)
        transformed = self.ffn_dropout(transformed, training=training)
        return self.ffn_norm(x + transformed)
        ### END SOLUTION

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        ### BEGIN SOLUTION
        return {
            **super().get_config(),
            "d_model": self.d_model,
            "num_heads": self.num_heads,
            "d_ff": self.d_ff,
            "dropout": self.dropout,
        }
        ### END SOLUTION
