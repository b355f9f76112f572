"""Exercise 26: the Transformer's decoder layer.

Three sublayers, each with a residual connection around it, and a layer normalisation after that:

    x      = LayerNorm(x + Dropout(causal self-attention of x))
    x      = LayerNorm(x + Dropout(cross-attention: queries from x, keys and values from memory))
    output = LayerNorm(x + Dropout(feed-forward network of x))      all (B, T, d_model)

    feed-forward network of x = ffn_outer(relu(ffn_inner(x))), at each position alone

(Vaswani et al. 2017, Attention Is All You Need, sections 3.1 to 3.3.) `memory` is what the encoder
returned, (B, Tk, d_model). Causal: position t attends to positions 0 to t of x, and to the whole memory.
The sublayers are called

    self_attention          keras.layers.MultiHeadAttention(num_heads, d_model // num_heads)
    self_attention_norm     LayerNormalization, epsilon 1e-6
    cross_attention         keras.layers.MultiHeadAttention(num_heads, d_model // num_heads)
    cross_attention_norm    LayerNormalization, epsilon 1e-6
    ffn_inner               Dense of d_ff features, with relu
    ffn_outer               Dense of d_model features
    ffn_norm                LayerNormalization, epsilon 1e-6

Dropout, in training only, acts on what each of the three sublayers returns, and on nothing else: not on the
attention weights, not between the two Dense layers.

`memory_mask` is True (or 1) where the memory is real and may be attended to: (B, Tk). What comes out where
nothing may be attended to is free, as long as it is finite. A d_model that num_heads does not divide raises
ValueError in the constructor.

Check your work with:  python -m grader exercise_26
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class TransformerDecoderLayer(layers.Layer):
    """Causal self-attention, attention over a memory, and a feed-forward network, with post-norm.

    Args:
        d_model: Width of the states that come in and go out, and of the memory.
        num_heads: How many heads. Raises ValueError unless d_model is divisible by it.
        d_ff: Width inside the feed-forward network.
        dropout: Share of each sublayer's output that is dropped in training.
    """

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        raise NotImplementedError("Write this part.")

    def call(self, x, memory, memory_mask=None, training=None):
        """Return the new states (B, T, d_model) for x (B, T, d_model) and memory (B, Tk, d_model)."""
        raise NotImplementedError("Write this part.")

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        raise NotImplementedError("Write this part.")
