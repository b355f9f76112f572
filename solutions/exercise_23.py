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
        ### BEGIN SOLUTION
        if d_model % num_heads:
            raise ValueError(f"d_model must be divisible by num_heads. Received: {d_model} and {num_heads}")
        self.num_heads = num_heads
        self.d_model = d_model
        self.dropout = dropout
        self.query_dense = layers.Dense(d_model, name="query_dense")
        self.key_dense = layers.Dense(d_model, name="key_dense")
        self.value_dense = layers.Dense(d_model, name="value_dense")
        self.output_dense = layers.Dense(d_model, name="output_dense")
        self.dropout_layer = layers.Dropout(dropout, name="dropout")
        ### END SOLUTION

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
        ### BEGIN SOLUTION
        key = value if key is None else key
        queries = self._split(self.query_dense(query))  # (B, H, Tq, D/H)
        keys = self._split(self.key_dense(key))  # (B, H, Tk, D/H)
        values = self._split(self.value_dense(value))  # (B, H, Tk, D/H)
        queries = queries * (self.d_model // self.num_heads) ** -0.5
        scores = ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2)))  # (B, H, Tq, Tk)
        mask = self._mask(attention_mask, use_causal_mask, *scores.shape[-2:])
        if mask is not None:
            scores = ops.where(mask, scores, -1e9)
        weights = ops.softmax(scores, axis=-1)
        if mask is not None:
            # Rows without an allowed key came out uniform: nothing may be attended to.
            weights = ops.where(mask, weights, 0.0)
        dropped = self.dropout_layer(weights, training=training)
        context = ops.matmul(dropped, values)  # (B, H, Tq, D/H)
        context = ops.transpose(context, (0, 2, 1, 3))  # (B, Tq, H, D/H)
        output = self.output_dense(ops.reshape(context, (-1, query.shape[1], self.d_model)))
        return (output, weights) if return_attention_scores else output
        ### END SOLUTION

    ### BEGIN SOLUTION
    def _split(self, x):
        """(B, T, d_model) to (B, H, T, d_model / H)."""
        x = ops.reshape(x, (-1, x.shape[1], self.num_heads, self.d_model // self.num_heads))
        return ops.transpose(x, (0, 2, 1, 3))

    def _mask(self, attention_mask, use_causal_mask, query_length, key_length):
        """Both masks as one boolean mask of rank 4, None when there is none."""
        mask = None
        if attention_mask is not None:
            mask = ops.cast(attention_mask, "bool")
            if len(mask.shape) == 3:
                mask = mask[:, None]  # (B, 1, Tq, Tk)
        if use_causal_mask:
            causal = ops.arange(query_length)[:, None] >= ops.arange(key_length)
            mask = causal if mask is None else ops.logical_and(mask, causal)
        return mask

    ### END SOLUTION

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        ### BEGIN SOLUTION
        config = super().get_config()
        return {
            **config,
            "num_heads": self.num_heads,
            "d_model": self.d_model,
            "dropout": self.dropout,
        }
        ### END SOLUTION
