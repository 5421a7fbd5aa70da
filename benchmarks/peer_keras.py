"""The same autoencoder in Keras 3 on JAX. Runs in a virtual environment of its own."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from peer_talk import begin

os.environ["KERAS_BACKEND"] = "jax"  # read when keras is imported
import keras


def main() -> None:
    """Train one epoch a request."""
    job, requests, answer = begin("keras", "jax")
    folder = Path(sys.argv[1])
    x = np.load(folder / "x.npy")
    layers: list[keras.layers.Layer] = [keras.Input((x.shape[1],))]
    for i, width in enumerate(job["widths"]):
        layers.append(keras.layers.Dense(width, activation=job["activations"][i]))
    model = keras.Sequential(layers)
    with np.load(folder / "weights.npz") as weights:  # PyTorch's kernels are (outputs, inputs)
        model.set_weights([weights[name].T for name in sorted(weights.files)])
    model.compile(optimizer=keras.optimizers.Adam(job["learning_rate"]), loss="mse")
    for _ in requests:
        started = time.perf_counter()
        history = model.fit(x, x, batch_size=job["batch_size"], epochs=1, shuffle=True, verbose=0)
        answer(seconds=time.perf_counter() - started, loss=history.history["loss"][0])


if __name__ == "__main__":
    main()
