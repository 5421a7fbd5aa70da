"""The network of ``vae_latent.py`` in Keras 3 on JAX. Runs in a virtual environment of its own."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from peer_talk import begin

os.environ["KERAS_BACKEND"] = "jax"  # read when keras is imported
import keras
from keras import layers, ops


class Draw(layers.Layer):
    """Draw embeddings from their posteriors, and add the KL to the loss, in nats an image."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, moments: Any) -> Any:
        """Return embeddings (B, 2) for means and log-variances (B, 2) each."""
        mean, log_variance = moments
        kl = 0.5 * (ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance)
        self.add_loss(ops.mean(ops.sum(kl, axis=1)))
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        return mean + ops.exp(0.5 * log_variance) * noise


def network() -> keras.Model:
    """Build encoder, draw and decoder: (B, 28, 28, 1) -> what goes into the sigmoid."""
    same: dict[str, Any] = {"padding": "same", "activation": "relu"}
    x = keras.Input((28, 28, 1))
    h = layers.Conv2D(10, 3, strides=2, **same)(x)
    h = layers.Conv2D(20, 3, strides=2, **same)(h)
    h = layers.Dense(16, activation="relu")(layers.Flatten()(h))
    z = Draw()((layers.Dense(2)(h), layers.Dense(2)(h)))
    h = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, activation="relu")(z))
    h = layers.Conv2DTranspose(20, 3, strides=2, **same)(h)
    h = layers.Conv2DTranspose(10, 3, strides=2, **same)(h)
    return keras.Model(x, layers.Conv2DTranspose(1, 3, padding="same")(h))


def cross_entropy(target: Any, sums: Any) -> Any:
    """Return the binary cross-entropy of each image, summed over pixels, in nats."""
    own = ops.binary_crossentropy(target, sums, from_logits=True)
    return ops.sum(own, axis=(1, 2, 3))


def main() -> None:
    """Train one epoch a request."""
    job, requests, answer = begin("keras", "jax")
    x = np.load(Path(sys.argv[1]) / "x.npy")[..., None]
    keras.utils.set_random_seed(0)
    model = network()
    model.compile(optimizer=keras.optimizers.Adam(job["learning_rate"]), loss=cross_entropy)
    for _ in requests:
        started = time.perf_counter()
        history = model.fit(x, x, batch_size=job["batch_size"], epochs=1, shuffle=True, verbose=0)
        answer(seconds=time.perf_counter() - started, loss=history.history["loss"][0])


if __name__ == "__main__":
    main()
