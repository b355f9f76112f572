"""A Layer with pre-norm blocks of einsums, bare weights for two tables; exact counts in every row."""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class Block(layers.Layer):
    """Attention and feed-forward network, each behind its own normalisation."""

    def __init__(self, num_heads, d_ff, dropout, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.d_ff, self.rate = num_heads, d_ff, dropout
        self.first, self.second = layers.LayerNormalization(), layers.LayerNormalization()
        self.drop = layers.Dropout(dropout)

    def build(self, shape):
        """Make the kernels."""
        width, heads = shape[-1], self.num_heads
        self.qkv = self.add_weight((3, width, heads, width // heads), "glorot_uniform", name="qkv")
        self.out = self.add_weight((heads, width // heads, width), "glorot_uniform", name="out")
        self.inner = layers.Dense(self.d_ff, activation="gelu")
        self.outer = layers.Dense(width)
        self.first.build(shape)
        self.second.build(shape)
        self.inner.build(shape)
        self.outer.build((*shape[:-1], self.d_ff))

    def call(self, x):
        """Return the new states."""
        query, key, value = ops.unstack(ops.einsum("btd,pdhk->pbhtk", self.first(x), self.qkv))
        scores = ops.einsum("bhqk,bhsk->bhqs", query, key) / ops.sqrt(ops.cast(query.shape[-1], x.dtype))
        mixed = ops.einsum("bhqs,bhsk->bqhk", ops.softmax(scores), value)
        x = x + self.drop(ops.einsum("bqhk,hkd->bqd", mixed, self.out))
        return x + self.drop(self.outer(self.inner(self.second(x))))


@keras.saving.register_keras_serializable(package="attention_dojo")
class Bert(layers.Layer):
    """No argument `training`: Keras hands it on to the Dropout layers."""

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
        self.config = {
            "vocab_size": vocab_size,
            "num_layers": num_layers,
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "max_length": max_length,
            "num_segments": num_segments,
            "dropout": dropout,
        }
        self.token_embedding = layers.Embedding(vocab_size, d_model)
        self.position_embedding = self.add_weight((max_length, d_model), "random_normal", name="positions")
        self.segment_embedding = self.add_weight((num_segments, d_model), "random_normal", name="segments")
        self.encoder_layers = [Block(num_heads, d_ff, dropout) for _ in range(num_layers)]
        self.final_norm = layers.LayerNormalization()
        self.pooler = layers.Dense(d_model)

    def call(self, token_ids, segment_ids=None):
        """Return the three outputs."""
        length = token_ids.shape[-1]
        if length > self.config["max_length"]:
            raise ValueError("too long")
        x = self.token_embedding(token_ids) + self.position_embedding[:length]
        if segment_ids is None:
            x = x + self.segment_embedding[0]
        else:
            x = x + ops.take(self.segment_embedding, segment_ids, axis=0)
        for block in self.encoder_layers:
            x = block(x)
        x = self.final_norm(x)
        return {
            "mlm_logits": ops.einsum("btd,vd->btv", x, self.token_embedding.embeddings),
            "pooled_output": ops.tanh(self.pooler(x[:, 0, :])),
            "sequence_output": x,
        }

    def get_config(self):
        """Return what the constructor needs."""
        return {**super().get_config(), **self.config}


def mask_tokens(token_ids, vocab_size, mask_id, special_ids, rng, rate=0.15):
    """Choose an exact number in each row, and split it exactly."""
    special = {int(item) for item in special_ids}
    inputs, weights = np.array(token_ids), np.zeros(np.shape(token_ids), np.float32)
    for row, tokens in enumerate(np.asarray(token_ids).tolist()):
        places = [place for place, token in enumerate(tokens) if token not in special]
        count = round(rate * len(places))
        places = rng.permutation(places).astype(int)[:count]
        weights[row, places] = 1
        masked, replaced = int(0.8 * count), int(0.9 * count)
        inputs[row, places[:masked]] = mask_id
        inputs[row, places[masked:replaced]] = rng.integers(vocab_size, size=replaced - masked)
    return inputs, np.array(token_ids), weights
