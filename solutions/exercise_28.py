"""Exercise 28: BERT, and the masking that it learns from.

BERT reads a whole sequence at once: every position sees every other, before it and after it.

    x               = token_embedding of the tokens + position_embedding of 0 ... T-1
                      + segment_embedding of the segments                        (B, T, d_model)
    sequence_output = num_layers encoder layers, one after another               (B, T, d_model)
    pooled_output   = pooler(sequence_output at the first position), with tanh   (B, d_model)
    mlm_logits      = sequence_output E^T                                        (B, T, vocab_size)

(Devlin et al. 2019, section 3 and appendix A.) E is the table of token_embedding: the same weights read
the tokens and score them, without a bias or a layer in between. call(token_ids (B, T), segment_ids=None)
returns a dict with these three names; segment_ids is (B, T), and None means 0 everywhere.

token_embedding, position_embedding and segment_embedding are Embedding layers of vocab_size, max_length
and num_segments rows; they are added as they are, not scaled. pooler is a Dense layer of d_model units.
encoder_layers is a list of num_layers layers, each with weights of its own. No id is padding: every token
may be attended to. Dropout acts in training only. A sequence longer than max_length raises ValueError.

To learn, BERT guesses tokens that were taken away (section 3.1 and appendix A.1). mask_tokens makes this
task from token_ids:

    chosen     each ordinary token with probability `rate` (or exactly that share of them, at random);
               ids in special_ids never
    inputs     token_ids, but of the chosen tokens 80% become mask_id, 10% a random id below vocab_size,
               and 10% stay as they are
    labels     token_ids, everywhere
    weights    1 where a token is chosen, 0 elsewhere: where the loss counts

TransformerEncoderLayer is given.

Check your work with:  python -m grader exercise_28
"""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class TransformerEncoderLayer(layers.Layer):
    """Given: the layer of exercise 25. Every position attends to all, then a feed-forward network."""

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"d_model": d_model, "num_heads": num_heads, "d_ff": d_ff, "dropout": dropout}
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.ffn_inner = layers.Dense(d_ff, activation="relu")
        self.ffn_outer = layers.Dense(d_model)
        self.ffn_norm = layers.LayerNormalization(epsilon=1e-6)
        self.dropout_layer = layers.Dropout(dropout)

    def call(self, x, attention_mask=None, training=None):
        """Return the new states (B, T, d_model) for states x (B, T, d_model)."""
        attended = self.self_attention(x, x, attention_mask=attention_mask)
        x = self.attention_norm(x + self.dropout_layer(attended, training=training))
        hidden = self.ffn_outer(self.ffn_inner(x))
        return self.ffn_norm(x + self.dropout_layer(hidden, training=training))

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        return {**super().get_config(), **self.sizes}


@keras.saving.register_keras_serializable(package="attention_dojo")
class Bert(keras.Model):
    """A Transformer encoder with learned positions, a pooler, and the masked language model's logits.

    Args:
        vocab_size: Number of tokens.
        num_layers: Number of encoder layers.
        d_model: Width of embeddings and states.
        num_heads: Heads of every attention.
        d_ff: Width inside the feed-forward networks.
        max_length: Length of the longest sequence.
        num_segments: Number of segments.
        dropout: Rate in the layers, and on the embeddings.
    """

    def __init__(
        self,
        vocab_size,
        num_layers,
        d_model,
        num_heads,
        d_ff,
        max_length,
        num_segments=2,
        dropout=0.1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        ### BEGIN SOLUTION
        self.vocab_size = vocab_size
        self.num_layers = num_layers
        self.d_model = d_model
        self.num_heads = num_heads
        self.d_ff = d_ff
        self.max_length = max_length
        self.num_segments = num_segments
        self.dropout = dropout
        self.token_embedding = layers.Embedding(vocab_size, d_model, name="token_embedding")
        self.position_embedding = layers.Embedding(max_length, d_model, name="position_embedding")
        self.segment_embedding = layers.Embedding(num_segments, d_model, name="segment_embedding")
        self.dropout_layer = layers.Dropout(dropout)
        self.encoder_layers = [
            TransformerEncoderLayer(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)
        ]
        self.pooler = layers.Dense(d_model, activation="tanh", name="pooler")
        ### END SOLUTION

    def call(self, token_ids, segment_ids=None, training=None):
        """Return {"sequence_output", "pooled_output", "mlm_logits"} for token_ids (B, T)."""
        ### BEGIN SOLUTION
        length = token_ids.shape[1]
        if length > self.max_length:
            raise ValueError(f"A sequence of {length} tokens is longer than max_length={self.max_length}.")
        if segment_ids is None:
            segment_ids = ops.zeros_like(token_ids)
        x = self.token_embedding(token_ids)  # (B, T, d_model)
        x = x + self.position_embedding(ops.arange(length))  # (T, d_model), for every sequence
        x = x + self.segment_embedding(segment_ids)  # (B, T, d_model)
        x = self.dropout_layer(x, training=training)
        for layer in self.encoder_layers:
            x = layer(x, training=training)
        pooled = self.pooler(x[:, 0])  # (B, d_model)
        logits = ops.matmul(x, ops.transpose(self.token_embedding.embeddings))  # (B, T, V)
        return {"sequence_output": x, "pooled_output": pooled, "mlm_logits": logits}
        ### END SOLUTION

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        ### BEGIN SOLUTION
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "num_layers": self.num_layers,
            "d_model": self.d_model,
            "num_heads": self.num_heads,
            "d_ff": self.d_ff,
            "max_length": self.max_length,
            "num_segments": self.num_segments,
            "dropout": self.dropout,
        }
        ### END SOLUTION


def mask_tokens(token_ids, vocab_size, mask_id, special_ids, rng, rate=0.15):
    """Make the task of the masked language model, with NumPy.

    Args:
        token_ids: (B, T) integers, which stay as they are.
        vocab_size: Random ids are below it.
        mask_id: What most of the chosen tokens become; one of special_ids.
        special_ids: Ids that are never chosen: a list, a tuple, a set or an array.
        rng: A numpy.random.Generator, from which all randomness comes.
        rate: Share of the ordinary tokens that is chosen.

    Returns:
        inputs and labels, (B, T) with the dtype of token_ids, and weights, (B, T) float32.
    """
    ### BEGIN SOLUTION
    special = np.isin(token_ids, list(special_ids))  # (B, T)
    chosen = ~special & (rng.random(token_ids.shape) < rate)  # (B, T)
    fate = rng.random(token_ids.shape)  # (B, T), below 0.8 [MASK], below 0.9 a random id
    random_ids = rng.integers(vocab_size, size=token_ids.shape)
    inputs = np.where(chosen & (fate < 0.8), mask_id, token_ids)
    inputs = np.where(chosen & (fate >= 0.8) & (fate < 0.9), random_ids, inputs)
    return inputs.astype(token_ids.dtype), token_ids.copy(), chosen.astype("float32")
    ### END SOLUTION
