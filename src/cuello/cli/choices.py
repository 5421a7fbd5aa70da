"""Names that the help lists: the registries that hold them would have to wait for torch.

A test keeps them equal to the registries.
"""

from __future__ import annotations

__all__ = ["CHOICES", "listed"]

CHOICES = {
    "activation": (
        "elu", "gelu", "identity", "leaky_relu", "relu", "sigmoid", "silu", "softplus", "tanh",
    ),
    "augment": ("shift", "rotate", "scale", "shear", "elastic", "cutout", "flip", "padding"),
    "initializer": (
        "default", "he_normal", "he_uniform", "orthogonal", "uniform", "xavier_normal",
        "xavier_uniform",
    ),
    "loss": ("auto", "mse", "mae", "huber", "mape", "bce"),
    "optimizer": ("adam", "adamw", "rmsprop", "sgd"),
    "output_activation": ("auto", "identity", "sigmoid", "tanh", "relu", "softplus"),
    "precision": ("auto", "bf16", "float32"),
    "scaling": ("auto", "minmax", "none", "standard", "symmetric"),
    "schedule": ("constant", "cosine", "linear", "step"),
}  # fmt: skip
"""What may follow an option, by its name."""


def listed(option: str) -> str:
    """Return the choices of an option in a row.

    Examples
    --------
    >>> listed("optimizer")
    'adam, adamw, rmsprop or sgd'
    """
    *most, last = CHOICES[option]
    return f"{', '.join(most)} or {last}"
