"""Exercise 22: self-attention as a Keras layer.

Every position of a sequence asks, and all of them answer. Four Dense layers (d_model features, with bias,
without activation), called query_dense, key_dense, value_dense and output_dense, make roles and result:

    query, key, value = query_dense(x), key_dense(x), value_dense(x)     (B, T, d_model)
    scores  = query key^T / sqrt(d_model)                                (B, T, T)
    weights = softmax(scores) over the keys, the last axis               (B, T, T)
    output  = output_dense(weights value)                                (B, T, d_model)

(Vaswani et al. 2017, section 3.2, with one head.) x is (B, T, D), and D may differ from d_model.
`attention_mask` is True (or 1) where a query (row) may attend to a key (column): (T, T) or (B, T, T). A
query that may attend to nothing has weights of zero, so output_dense receives zeros for it. The weights are
returned, after the output, only when return_attention_scores is true.

Not allowed: Keras's own attention layers and keras.ops.dot_product_attention.

Check your work with:  python -m grader exercise_22
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class SelfAttention(layers.Layer):
    """Self-attention with one head: each position becomes a mixture of all that it may attend to.

    Args:
        d_model: Width of the projections and of the output.
    """

    def __init__(self, d_model, **kwargs):
        super().__init__(**kwargs)
        raise NotImplementedError("Write this part.")

    def call(self, x, attention_mask=None, return_attention_scores=False):
        """Return the output (B, T, d_model) for x (B, T, D), and the weights (B, T, T) when asked for."""
        raise NotImplementedError("Write this part.")

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        raise NotImplementedError("Write this part.")
