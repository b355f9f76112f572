"""Batches flattened to one axis; the softmax as exp(scores - log-sum-exp)."""

import numpy as np


def dot_product_attention(query, key, value):
    *lead, queries, _ = query.shape
    dtype = np.result_type(query, np.float32) if query.dtype.kind == "f" else np.float64
    flat = [np.reshape(array, (-1, *array.shape[-2:])).astype(dtype) for array in (query, key, value)]
    scores = np.matmul(flat[0], flat[1].transpose(0, 2, 1))
    largest = np.amax(scores, axis=2)[:, :, np.newaxis]
    log_total = np.log(np.sum(np.exp(scores - largest), axis=2))[:, :, np.newaxis]
    weights = np.exp((scores - largest) - log_total)
    context = np.matmul(weights, flat[2])
    return context.reshape(*lead, queries, -1), weights.reshape(*lead, queries, -1)
