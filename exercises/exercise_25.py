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
        raise NotImplementedError("Write this part.")

    def call(self, x, attention_mask=None, training=None):
        """Return the new states (B, T, d_model) for states x (B, T, d_model)."""
        raise NotImplementedError("Write this part.")

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        raise NotImplementedError("Write this part.")
