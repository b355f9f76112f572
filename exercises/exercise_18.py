"""Exercise 18: attention pooling as a Keras layer.

A classifier needs one vector for a whole sequence. Attention pooling lets the sequence say which of its
positions matter: a small network, whose two Dense layers are called project and score, judges each state
without any query.

    hidden  = project(states), a Dense layer with `units` features and tanh   (B, T, units)
    scores  = score(hidden), a Dense layer with one feature and no bias       (B, T)
    weights = softmax(scores)                                                 (B, T)
    pooled  = sum over T of weights * states                                  (B, D)

(Yang et al. 2016, Hierarchical Attention Networks, section 2.2; the kernel of score is their context
vector.) `mask` is True (or 1) where a state is real: (B, T). Where nothing is, weights and pooled vector
are zero. The pooled vector has no time axis any more, so it must not carry the states' Keras mask on.

Not allowed: Keras's own attention layers.

Check your work with:  python -m grader exercise_18
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class AttentionPooling(layers.Layer):
    """The states of a sequence, averaged with weights that are learned.

    Args:
        units: Width of the hidden layer that judges each state.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        raise NotImplementedError("Write this part.")

    def call(self, states, mask=None):
        """Return the pooled vector (B, D) and the weights (B, T) for states (B, T, D)."""
        raise NotImplementedError("Write this part.")

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        raise NotImplementedError("Write this part.")
