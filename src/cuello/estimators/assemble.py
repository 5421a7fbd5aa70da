"""From the options of an estimator and the shape of its rows to an untrained network."""

from __future__ import annotations

import copy
import importlib
import math
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from cuello import kinds, networks
from cuello.errors import InputError, unknown

if TYPE_CHECKING:
    from cuello.estimators.autoencoder import Autoencoder

__all__ = ["NetworkSource", "assemble", "name_of_source", "network_options"]

NetworkSource = nn.Module | Callable[[], nn.Module] | str
"""A network, a function or class that makes one, or where to import either: ``package.mod:name``"""


def assemble(model: Autoencoder, seed: int) -> kinds.AutoencoderModule:
    """Build the network that an estimator describes, for rows of its ``shape_``.

    Raises
    ------
    InputError
        If an option is not known, or options do not fit one another or the rows.
    """
    if model.kind not in kinds.KINDS:
        raise unknown("kind", model.kind, kinds.KINDS)
    kind = kinds.KINDS[model.kind]
    low, high = model.scaling_.low, model.scaling_.high
    reconstruction = kinds.Reconstruction(
        loss=model.loss,
        output=model.output_activation,
        reduction=model.reduction,
        low=low,
        high=high if high > low else low + 1.0,
        missing=model.network in networks.SEQUENCES,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if model.encoder is None and model.decoder is None:
            latent_dim = _check_latent_dim(model)
            encoder, decoder = _named(model, kind, latent_dim)
        else:
            encoder, decoder, latent_dim = _given(model, kind)
        parts = kinds.Parts(
            encoder=encoder,
            decoder=decoder,
            reconstruction=reconstruction,
            shape=model.shape_,
            latent_dim=latent_dim,
            classes=len(model.classes_),
        )
        return kinds.build(model.kind, parts, **(model.kind_options or {}))


def network_options(model: Autoencoder) -> dict[str, Any]:
    """Return what the options of a named network come to: its defaults, and ``auto``, filled in."""
    if model.encoder is not None or model.decoder is not None:
        return {}
    defaults = {name: p.default for name, p in networks.options(model.network).items()}
    code = model.latent_activation
    if code == "auto":
        code = kinds.KINDS[model.kind].latent_activation
    initializer = model.initializer
    if initializer == "auto":
        # PyTorch's own weights start so small that a bounded code is driven to its end, the same
        # for every row, while the decoder learns the mean row; from there it hardly returns.
        initializer = "he_uniform" if code in ("sigmoid", "tanh") else "default"
    hidden = networks.default_hidden(model.network) if model.hidden is None else model.hidden
    return {
        "network_options": defaults | dict(model.network_options or {}),
        "hidden": tuple(hidden),
        "latent_activation": code,
        "initializer": initializer,
    }


def _named(
    model: Autoencoder, kind: type[kinds.AutoencoderModule], latent_dim: int
) -> tuple[nn.Module, nn.Module]:
    chosen = network_options(model)
    return networks.build(
        model.network,
        model.shape_,
        kind.decoder_width(latent_dim, len(model.classes_)),
        kind.encoder_width(latent_dim),
        own=chosen["network_options"],
        hidden=chosen["hidden"],
        activation=model.activation,
        latent_activation=chosen["latent_activation"],
        initializer=chosen["initializer"],
        batch_norm=model.batch_norm,
        dropout=model.dropout,
    )


def _check_latent_dim(model: Autoencoder) -> int:
    features = math.prod(model.shape_)
    if features == 1 and not model.allow_overcomplete:
        raise InputError("rows have 1 feature(s); a shorter code needs at least 2.")
    if model.latent_dim < 1 or (model.latent_dim >= features and not model.allow_overcomplete):
        raise InputError(
            f"latent_dim={model.latent_dim} must be at least 1 and below the number of features "
            f"({features}); pick 1..{features - 1}, or set allow_overcomplete=True."
        )
    return int(model.latent_dim)


def _given(
    model: Autoencoder, kind: type[kinds.AutoencoderModule]
) -> tuple[nn.Module, nn.Module, int]:
    """Make the user's own networks, and find out from their shapes how long the code is."""
    if model.encoder is None or model.decoder is None:
        missing = "encoder" if model.encoder is None else "decoder"
        raise InputError(f"{missing}=None: give encoder and decoder together, or neither.")
    encoder, decoder = _make("encoder", model.encoder), _make("decoder", model.decoder)
    shape = model.shape_
    code = _try("encoder", encoder, (2, *shape))
    if len(code) != 2 or code[0] != 2:
        raise InputError(
            f"encoder turns rows of shape (2, {_listed(shape)}) into {code}; it must give "
            "(2, length of the code): end it with torch.nn.Flatten()."
        )
    latent_dim = code[1] // kind.encoder_width(1)
    if latent_dim < 1 or kind.encoder_width(latent_dim) != code[1]:
        raise InputError(
            f"encoder gives {code[1]} numbers a row; kind={model.kind!r} needs a multiple of "
            f"{kind.encoder_width(1)}."
        )
    width = kind.decoder_width(latent_dim, len(model.classes_))
    row = _try("decoder", decoder, (2, width))
    if row != (2, *shape):
        raise InputError(
            f"decoder turns codes of shape (2, {width}) into {row}; it must give "
            f"(2, {_listed(shape)}), the shape of the rows: end it with "
            f"torch.nn.Unflatten(1, ({_listed(shape)}))."
        )
    return encoder, decoder, latent_dim


def _make(which: str, source: NetworkSource) -> nn.Module:
    made = _import(which, source) if isinstance(source, str) else source
    if isinstance(made, nn.Module):
        module = copy.deepcopy(made)
        for layer in module.modules():  # so that the seed decides the weights, as it does elsewhere
            if callable(reset := getattr(layer, "reset_parameters", None)):
                reset()
        return module
    try:
        made = made() if callable(made) else made
    except TypeError as error:
        raise InputError(
            f"{which}={source!r} cannot be called without arguments ({_first_line(error)}); give a "
            "function that makes the network with them."
        ) from error
    if not isinstance(made, nn.Module):
        raise InputError(
            f"{which}={source!r} is no torch.nn.Module, and no function or class that makes one; "
            "give one of them, or where to import it: 'package.module:name'."
        )
    return made


def _import(which: str, source: str) -> Any:
    module, _, name = source.partition(":")
    here = os.getcwd()  # installed programs do not look there by themselves
    sys.path.append(here)
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"{which}={source!r} cannot be imported ({error}); write 'package.module:name', and "
            "run where Python finds that module."
        ) from None
    finally:
        sys.path.remove(here)
    return found


def _is_found(name: str, source: object) -> bool:
    try:
        return _import("", name) is source
    except InputError:
        return False


def _try(which: str, module: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    try:
        out: Any = networks.note_uses(module, torch.zeros(shape))
    except Exception as error:  # whatever a network of the user's may raise
        raise InputError(
            f"{which} cannot take {'rows' if which == 'encoder' else 'codes'} of shape {shape}: "
            f"{_first_line(error)}"
        ) from error
    if not isinstance(out, torch.Tensor):
        raise InputError(f"{which} gives {type(out).__name__}; it must give a tensor.")
    return tuple(out.shape)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def name_of_source(which: str, source: NetworkSource | None) -> str | None:
    """Return the importable name of a network, by which a run folder can build it again.

    Raises
    ------
    InputError
        If it has none: a module object, or a function made inside another one.
    """
    if source is None or isinstance(source, str):
        return source
    module = getattr(source, "__module__", "__main__")
    name = f"{module}:{getattr(source, '__qualname__', '')}"
    # What is found under the name must be this very thing: a wrapper bears the name of another.
    if module != "__main__" and _is_found(name, source):
        return name
    raise InputError(
        f"{which} is a {type(source).__name__} that no other program can import, so a run folder "
        "cannot build it again; put a function that makes it into a module and give its name: "
        f"{which}='package.module:name'."
    )
