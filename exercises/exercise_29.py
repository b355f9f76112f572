"""Exercise 29: a Vision Transformer.

An image becomes a sequence: it is cut into square patches, each patch becomes a token, and a Transformer
encoder does the rest. No convolution, no causal mask, no padding.

    extract_patches(images (B, H, W, C), patch_size) -> (B, N, P * P * C), N = (H / P) * (W / P)

Patches stand in row-major order (left to right, then down), and so do the pixels within a patch, the
channels last. H and W may differ; where one is not divisible by patch_size it raises ValueError.

    tokens = a Dense layer of d_model, on the patches                               (B, N, d_model)
    x      = [class token, tokens] + learned positions, one for each of the N + 1   (B, N + 1, d_model)
    x      = num_layers pre-norm encoder layers                                     (B, N + 1, d_model)
    logits = head(final_norm(x)[:, 0]), the class token's place                     (B, num_classes)

(Dosovitskiy et al. 2021, An Image is Worth 16x16 Words, section 3.1.) VisionTransformer's call takes images
(B, image_size, image_size, channels). Its attributes: class_token, a trainable weight; position_embedding
(an Embedding, or a trainable weight); encoder_layers, a list; final_norm, a LayerNormalization; head, a
Dense of num_classes without activation. image_size not divisible by patch_size raises ValueError in the
constructor.

PreNormLayer is given for encoder_layers.

Check your work with:  python -m grader exercise_29
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class PreNormLayer(layers.Layer):
    """Given: an encoder layer that normalises before each sublayer, and adds the result to what came in."""

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"d_model": d_model, "num_heads": num_heads, "d_ff": d_ff, "dropout": dropout}
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.ffn_norm = layers.LayerNormalization(epsilon=1e-6)
        self.ffn_inner = layers.Dense(d_ff, activation="gelu")
        self.ffn_outer = layers.Dense(d_model)
        self.dropout_layer = layers.Dropout(dropout)

    def call(self, x, training=None):
        """Return the new states (B, T, d_model)."""
        normed = self.attention_norm(x)
        x = x + self.dropout_layer(self.self_attention(normed, normed), training=training)
        hidden = self.ffn_outer(self.ffn_inner(self.ffn_norm(x)))
        return x + self.dropout_layer(hidden, training=training)

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        return {**super().get_config(), **self.sizes}


def extract_patches(images, patch_size):
    """Cut images (B, H, W, C) into patches (B, N, patch_size * patch_size * C)."""
    raise NotImplementedError("Write this part.")


@keras.saving.register_keras_serializable(package="attention_dojo")
class VisionTransformer(keras.Model):
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
        raise NotImplementedError("Write this part.")

    def call(self, images, training=None):
        """Return the logits (B, num_classes) for images (B, image_size, image_size, channels)."""
        raise NotImplementedError("Write this part.")

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        raise NotImplementedError("Write this part.")
