"""Exercise 17: Bahdanau attention as a Keras layer.

A decoder that has state `query` looks back at everything the encoder wrote, `values`. One small network
scores each position; its three Dense layers are called query_dense, value_dense and score_dense:

    scores  = score_dense(tanh(query_dense(query) + value_dense(values)))   (B, T)
    weights = softmax(scores)                                               (B, T)
    context = sum over T of weights * values                                (B, Dv)

(Bahdanau et al. 2015, section 3.1 and appendix A.1.2.) query_dense and value_dense have `units` features,
score_dense has one; none of them has an activation of its own. `mask` is True (or 1) where a position may
be attended to: (B, T). Where it allows nothing, weights and context are zero. Only the mask that is passed
counts. Queries and values may differ in width.

Not allowed: Keras's own attention layers.

Check your work with:  python -m grader exercise_17
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class BahdanauAttention(layers.Layer):
    """Additive attention of one query per example over a sequence of values.

    Args:
        units: Width of the hidden layer in which query and values meet.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        ### BEGIN SOLUTION
        self.units = units
        self.query_dense = layers.Dense(units, name="query_dense")
        self.value_dense = layers.Dense(units, name="value_dense")
        self.score_dense = layers.Dense(1, name="score_dense")
        ### END SOLUTION

    def call(self, query, values, mask=None):
        """Return the context (B, Dv) and the weights (B, T) for query (B, Dq) and values (B, T, Dv)."""
        ### BEGIN SOLUTION
        queries = ops.expand_dims(self.query_dense(query), axis=1)  # (B, 1, units)
        keys = self.value_dense(values)  # (B, T, units)
        hidden = ops.tanh(queries + keys)  # (B, T, units)
        scores = ops.squeeze(self.score_dense(hidden), axis=-1)  # (B, T)
        if mask is not None:
            mask = ops.cast(mask, "bool")  # (B, T)
            scores = ops.where(mask, scores, -1e9)
        weights = ops.softmax(scores, axis=-1)  # (B, T)
        if mask is not None:
            # Where nothing is allowed the weights came out uniform: they must be zero.
            weights = ops.where(mask, weights, 0.0)
        context = ops.sum(ops.expand_dims(weights, axis=-1) * values, axis=1)  # (B, Dv)
        return context, weights
        ### END SOLUTION

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        ### BEGIN SOLUTION
        return {**super().get_config(), "units": self.units}
        ### END SOLUTION
