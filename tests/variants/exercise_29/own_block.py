"""Encoder layers of one's own, one Dense for query, key and value, Keras's default epsilon."""

import keras
from keras import layers, ops


class Block(layers.Layer):
    """A pre-norm block of one's own, heads split by hand."""

    def __init__(self, d_model, num_heads, d_ff, dropout, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.norms = [layers.LayerNormalization(epsilon=1e-5) for _ in range(2)]
        self.qkv = layers.Dense(3 * d_model)
        self.out = layers.Dense(d_model)
        self.mlp = keras.Sequential(
            [layers.Dense(d_ff, "relu"), layers.Dropout(dropout), layers.Dense(d_model)]
        )
        self.drop = layers.Dropout(dropout)

    def call(self, x):
        """Return the new states."""
        length, width = x.shape[1:]
        parts = ops.split(self.qkv(self.norms[0](x)), 3, axis=-1)
        shape = (-1, length, self.num_heads, width // self.num_heads)
        q, k, v = (ops.transpose(ops.reshape(part, shape), (0, 2, 1, 3)) for part in parts)
        weights = ops.softmax(q @ ops.transpose(k, (0, 1, 3, 2)) / (width // self.num_heads) ** 0.5)
        joined = ops.reshape(ops.transpose(weights @ v, (0, 2, 1, 3)), (-1, length, width))
        x = x + self.drop(self.out(joined))
        return x + self.mlp(self.norms[1](x))


def extract_patches(images, patch_size):
    """Cut images (B, H, W, C) into patches (B, N, patch_size * patch_size * C)."""
    height, width, channels = images.shape[1:]
    if height % patch_size or width % patch_size:
        raise ValueError(f"images of {height} x {width} cannot be cut into patches of {patch_size}")
    rows, columns = height // patch_size, width // patch_size
    grid = ops.reshape(images, (-1, rows, patch_size, columns, patch_size, channels))
    grid = ops.transpose(grid, (0, 1, 3, 2, 4, 5))  # (B, rows, columns, P, P, C)
    return ops.reshape(grid, (-1, rows * columns, patch_size * patch_size * channels))


@keras.saving.register_keras_serializable(package="attention_dojo")
class VisionTransformer(layers.Layer):
    """Classifies images with a Transformer encoder over their patches.

    Args:
        image_size: Height and width of the images.
        patch_size: Height and width of a patch; divides image_size.
        num_layers: Number of encoder layers.
        d_model: Width of the tokens.
        num_heads: Heads of every attention.
        d_ff: Width inside the feed-forward networks.
        num_classes: Number of logits.
        channels: Channels of the images.
        dropout: Rate in the layers.
    """

    def __init__(
        self,
        image_size,
        patch_size,
        num_layers,
        d_model,
        num_heads,
        d_ff,
        num_classes,
        channels=1,
        dropout=0.1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if image_size % patch_size:
            raise ValueError(f"image_size={image_size} is not divisible by patch_size={patch_size}")
        self.sizes = {
            "image_size": image_size,
            "patch_size": patch_size,
            "num_layers": num_layers,
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "num_classes": num_classes,
            "channels": channels,
            "dropout": dropout,
        }
        self.patch_size = patch_size
        self.num_tokens = (image_size // patch_size) ** 2 + 1
        self.patch_projection = layers.Dense(d_model)
        self.class_token = self.add_weight(
            shape=(1, 1, d_model),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="class_token",
        )
        self.position_embedding = layers.Embedding(self.num_tokens, d_model)
        self.dropout_layer = layers.Dropout(dropout)
        self.encoder_layers = [Block(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)]
        self.final_norm = layers.LayerNormalization()
        self.head = layers.Dense(num_classes)

    def call(self, images, training=None):
        """Return the logits (B, num_classes) for images (B, image_size, image_size, channels)."""
        tokens = self.patch_projection(extract_patches(images, self.patch_size))  # (B, N, d_model)
        first = ops.zeros_like(tokens[:, :1]) + self.class_token  # (B, 1, d_model)
        x = ops.concatenate([first, tokens], axis=1)  # (B, N + 1, d_model)
        x = x + self.position_embedding(ops.arange(self.num_tokens))
        x = self.dropout_layer(x, training=training)
        for layer in self.encoder_layers:
            x = layer(x)
        return self.head(self.final_norm(x)[:, 0])

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        return {**super().get_config(), **self.sizes}
