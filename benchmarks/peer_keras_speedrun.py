"""The autoencoder of ``speedrun`` in Keras 3 on JAX. Runs in a virtual environment of its own."""

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
    """Train one epoch a request; answer CPU seconds, and the test error as the loss."""
    job, requests, answer = begin("keras", "jax")
    folder = Path(sys.argv[1])
    x, x_test = np.load(folder / "x.npy"), np.load(folder / "x_test.npy")
    keras.utils.set_random_seed(job["seed"])
    layers: list[keras.layers.Layer] = [keras.Input((x.shape[1],))]
    for width, activation in zip(job["widths"], job["activations"], strict=True):
        layers.append(keras.layers.Dense(width, activation=activation))
    model = keras.Sequential(layers)
    model.compile(optimizer=keras.optimizers.Adam(job["learning_rate"]), loss=job["loss"])
    for _ in requests:
        started = time.process_time()
        model.fit(x, x, batch_size=job["batch_size"], epochs=1, shuffle=True, verbose=0)
        seconds = time.process_time() - started
        back = model.predict(x_test, batch_size=1024, verbose=0)
        answer(seconds=seconds, loss=float(np.square(back - x_test).mean()))


if __name__ == "__main__":
    main()
