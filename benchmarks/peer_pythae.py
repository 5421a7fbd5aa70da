"""The same autoencoder in pythae, by its own trainer. Runs in a virtual environment of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, AEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor, nn

from peer_talk import begin


class Encoder(BaseEncoder):  # type: ignore[misc]
    """Half of the network, in the form that pythae documents."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> ModelOutput:
        """Return the embedding."""
        return ModelOutput(embedding=self.layers(x))


class Decoder(BaseDecoder):  # type: ignore[misc]
    """The other half."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, z: Tensor) -> ModelOutput:
        """Return the reconstruction."""
        return ModelOutput(reconstruction=self.layers(z))


class Turns(TrainingCallback):  # type: ignore[misc]
    """Holds the training between two epochs until it is asked for the next."""

    def __init__(
        self, requests: Iterator[None], answer: Callable[..., None], features: int
    ) -> None:
        self.requests, self.answer, self.features = requests, answer, features

    def on_epoch_begin(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        """Wait for the next request."""
        if next(self.requests, "end") == "end":
            raise SystemExit(0)
        self.started = time.perf_counter()

    def on_epoch_end(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        """Stop the clock."""
        self.seconds = time.perf_counter() - self.started

    def on_log(
        self, training_config: BaseTrainerConfig, logs: dict[str, float], **kwargs: Any
    ) -> None:
        """Answer. pythae sums the squared errors of a row; others take their mean."""
        self.answer(seconds=self.seconds, loss=logs["train_epoch_loss"] / self.features)


def main() -> None:
    """Train one epoch a request."""
    job, requests, answer = begin("pythae", "torch")
    torch.set_num_threads(job["threads"])
    folder = Path(sys.argv[1])
    x = torch.from_numpy(np.load(folder / "x.npy"))
    functions = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, None: nn.Identity}
    layers: list[nn.Module] = []
    with np.load(folder / "weights.npz") as weights:
        arrays = [torch.from_numpy(weights[name]) for name in sorted(weights.files)]
    for kernel, bias, name in zip(arrays[::2], arrays[1::2], job["activations"], strict=True):
        linear = nn.Linear(kernel.shape[1], kernel.shape[0])
        linear.load_state_dict({"weight": kernel, "bias": bias})
        layers += [linear, functions[name]()]
    half = len(layers) // 2
    model = AE(
        AEConfig(input_dim=(x.shape[1],), latent_dim=job["latent_dim"]),
        encoder=Encoder(nn.Sequential(*layers[:half])),
        decoder=Decoder(nn.Sequential(*layers[half:])),
    )
    BaseTrainer(
        model=model,
        train_dataset=BaseDataset(x, torch.zeros(len(x))),
        training_config=BaseTrainerConfig(
            output_dir=str(folder / "pythae"),
            per_device_train_batch_size=job["batch_size"],
            learning_rate=job["learning_rate"],
            num_epochs=1_000_000,  # until nobody asks for another
            no_cuda=True,
        ),
        callbacks=[Turns(requests, answer, x.shape[1])],
    ).train()


if __name__ == "__main__":
    main()
