"""Exercise 23: multi-head attention as a Keras layer.

Write the layer that Keras calls MultiHeadAttention, with one Dense layer for each projection:

    query, key, value are projected to d_model features and split into num_heads heads; head h holds
    features h * d_model / num_heads and following.
    scores  = query key^T / sqrt(d_model / num_heads)   (B, H, Tq, Tk)
    weights = softmax(scores), with dropout in training (B, H, Tq, Tk)
    output  = output_dense(heads side by side)          (B, Tq, d_model)

(Vaswani et al. 2017, section 3.2.2.) The sublayers are called query_dense, key_dense, value_dense and
output_dense. Without `key`, the value is also the key. `attention_mask` is True (or 1) where a query may
attend: (Tq, Tk), (B, Tq, Tk) or (B, H, Tq, Tk). `use_causal_mask` lets query i see keys 0 to i only; with
both, a key must be allowed by both. A query that may attend to nothing gets zero weights.

Not allowed: Keras's own attention layers and keras.ops.dot_product_attention.

Check your work with:  python -m grader exercise_23
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class MultiHeadAttention(layers.Layer):
    """Multi-head attention with the calling conventions of keras.layers.MultiHeadAttention.

    Args:
        num_heads: How many heads. Raises ValueError unless d_model is divisible by it.
        d_model: Width of the projections and of the output.
        dropout: Share of attention weights dropped in training.
    """

    def __init__(self, num_heads, d_model, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        raise NotImplementedError("Write this part.")

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
        """Return the output (B, Tq, d_model), and the weights (B, H, Tq, Tk) when asked for."""
        raise NotImplementedError("Write this part.")

    # Your own helpers, if you want any, go here.

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        raise NotImplementedError("Write this part.")
