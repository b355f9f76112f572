"""Einstein sums, a softmax of its own that divides by 1 where nothing is allowed, no registration."""

from keras import layers, ops


class SelfAttention(layers.Layer):
    def __init__(self, d_model, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.d_model = d_model
        self.query_dense, self.key_dense, self.value_dense, self.output_dense = (
            layers.Dense(d_model) for _ in range(4)
        )

    def call(self, x, attention_mask=None, return_attention_scores=False):
        scores = ops.einsum("bid,bjd->bij", self.query_dense(x), self.key_dense(x))
        scores = scores / ops.sqrt(ops.cast(self.d_model, scores.dtype))
        allowed = ops.ones_like(scores, dtype="bool")
        if attention_mask is not None:
            allowed = ops.logical_and(allowed, ops.not_equal(ops.cast(attention_mask, "int32"), 0))
        top = ops.max(ops.where(allowed, scores, -1e30), axis=-1, keepdims=True)
        powers = ops.where(allowed, ops.exp(ops.minimum(scores - top, 0.0)), 0.0)
        total = ops.sum(powers, axis=-1, keepdims=True)
        weights = powers / ops.where(total > 0, total, 1.0)
        output = self.output_dense(ops.einsum("bij,bjd->bid", weights, self.value_dense(x)))
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        config = super().get_config()
        config["d_model"] = self.d_model
        return config
