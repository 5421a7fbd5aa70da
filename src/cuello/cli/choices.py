"""Names that the help lists: the registries that hold them would have to wait for torch.

A test keeps them equal to the registries.
"""

from __future__ import annotations

__all__ = ["CHOICES", "OWN_OPTIONS", "listed", "own_flags"]

CHOICES = {
    "activation": (
        "elu", "gelu", "identity", "leaky_relu", "relu", "sigmoid", "silu", "softplus", "tanh",
    ),
    "augment": (
        "shift", "rotate", "scale", "shear", "elastic", "cutout", "brightness", "flip", "padding",
    ),
    "initializer": (
        "auto", "default", "he_normal", "he_uniform", "orthogonal", "uniform", "xavier_normal",
        "xavier_uniform",
    ),
    "loss": (
        "auto", "mse", "l2", "mae", "l1", "huber", "mape", "bce", "bernoulli", "gaussian",
    ),
    "method": (
        *("auto", "mean_teacher", "linear_probe", "fine_tune", "ladder", "from_scratch"),
        *("fine_tune_slow", "label_spreading"),
    ),
    "optimizer": ("adam", "adamw", "muon", "rmsprop", "sgd"),
    "output_activation": ("auto", "identity", "sigmoid", "tanh", "relu", "softplus"),
    "precision": ("auto", "bf16", "float32"),
    "scaling": ("auto", "minmax", "none", "standard", "symmetric"),
    "schedule": ("constant", "constant_linear", "cosine", "linear", "step", "adaptive"),
    "shuffle": ("always", "once", "never"),
    "task": ("auto", "binary", "multiclass", "regression", "multilabel"),
}  # fmt: skip
"""What may follow an option, by its name."""

OWN_OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "network": {
        "dense": ("tied",),
        "conv": ("up", "residual", "kernel_size"),
        "sequence": ("cell", "bidirectional"),
    },
}
"""What may follow an option, with the options that each choice has of its own."""


def listed(option: str) -> str:
    """Return the choices of an option in a row.

    Examples
    --------
    >>> listed("optimizer")
    'adam, adamw, muon, rmsprop or sgd'
    """
    *most, last = CHOICES[option]
    return f"{', '.join(most)} or {last}"


def own_flags(option: str) -> str:
    """Return the choices of an option, each with its own options.

    Examples
    --------
    >>> own_flags("network").partition(",")[0]
    'dense (--tied)'
    """
    return ", ".join(
        f"{name} ({', '.join('--' + own.replace('_', '-') for own in options)})"
        for name, options in OWN_OPTIONS[option].items()
    )
