"""Noise that a denoising autoencoder learns to undo, drawn for a whole batch at once.

Gaussian, masking and salt-and-pepper noise are those of Vincent et al., "Stacked denoising
autoencoders: learning useful representations in a deep network with a local denoising criterion",
JMLR 11 (2010), 3371-3408.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from cuello.errors import Argument, InputError, Use
from cuello.options import Option, Range, check_options, read_options
from cuello.registry import Registry

__all__ = ["NOISES", "Noise", "NoiseEntry", "register_noise"]

Level = float | Tensor
Source = torch.Generator | None
NoiseFunction = Callable[..., Tensor]


@dataclass(frozen=True)
class NoiseEntry:
    """A noise: its function, the allowed levels and their meaning."""

    draw: NoiseFunction
    level: Range
    meaning: str

    @property
    def options(self) -> dict[str, Option]:
        """Options of this noise beyond the common ones."""
        return read_options(self.draw)


NOISES: Registry[NoiseEntry] = Registry("noise")

_DEVIATION = "a standard deviation in the data's units"
_SHARE = "the share of elements that it touches"


def register_noise(level: Range, meaning: str) -> Callable[[NoiseFunction], NoiseFunction]:
    """Return a decorator that enters a function into :data:`NOISES` under its name.

    The function ``fn(x, level, low, high, generator, *, option=default, ...)`` works out of place,
    on any shape and device, keeps the dtype, and never waits for the device. Without a generator it
    draws from torch's global one, so that a seeded loop repeats itself.
    """

    def enter(draw: NoiseFunction) -> NoiseFunction:
        NOISES.add(draw.__name__, NoiseEntry(draw, level, meaning))
        return draw

    return enter


def _uniform(x: Tensor, generator: Source) -> Tensor:
    # float32 whatever x is: a bfloat16 uniform has 256 values, so no event rarer than 1/256.
    return torch.rand(x.shape, dtype=torch.float32, device=x.device, generator=generator)


def _normal(x: Tensor, generator: Source) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)


def _one_a_sample(x: Tensor) -> Tensor:
    return x[(slice(None), *[slice(0, 1)] * (x.ndim - 1))]


@register_noise(Range(0.0), "without effect")
def none(x: Tensor, level: Level, low: float, high: float, generator: Source) -> Tensor:
    """Change nothing."""
    return x


@register_noise(Range(0.0), _DEVIATION)
def gaussian(x: Tensor, level: Level, low: float, high: float, generator: Source) -> Tensor:
    """Add independent normal noise of standard deviation ``level``, in the data's units.

    The result is not clipped to ``low..high``. Clipping pushes values at the edge of the range
    inwards on average (a black pixel only ever gets brighter), and the denoiser then learns that
    offset instead of the regression to the mean that ties it to the density of the data.
    """
    return x + level * _normal(x, generator)


@register_noise(Range(0.0, 1.0, open_high=True), _SHARE)
def masking(
    x: Tensor, level: Level, low: float, high: float, generator: Source, *, rescale: bool = True
) -> Tensor:
    """Set each element to 0 with probability ``level``; the others grow by ``1 / (1 - level)``.

    Parameters
    ----------
    rescale : bool, default True
        Divide what survives by ``1 - level`` so that the expectation is ``x``, as inverted dropout
        does (Srivastava et al., JMLR 15, 2014). Vincent et al. do not: their encoder meets weaker
        inputs in training than at use, when nothing is masked, and its reconstruction of clean
        data comes out too strong. False gives their noise, for data whose 0/1 must stay 0/1.
    """
    kept = x / (1.0 - level) if rescale else x
    return kept.masked_fill(_uniform(x, generator) < level, 0.0)


@register_noise(Range(0.0, 1.0), _SHARE)
def salt_and_pepper(x: Tensor, level: Level, low: float, high: float, generator: Source) -> Tensor:
    """Set each element, with probability ``level``, to ``low`` or ``high``, half the time each."""
    draw = _uniform(x, generator)
    return x.masked_fill(draw < level, high).masked_fill(draw < level / 2, low)


@register_noise(Range(0.0, 1.0), _SHARE)
def flip(x: Tensor, level: Level, low: float, high: float, generator: Source) -> Tensor:
    """Mirror each element in its range, ``low + high - x``, with probability ``level``.

    Flips the sign of -1/+1 data and the pixels of 0/1 data: the bit-flip noise of a binary
    symmetric channel. At ``level=0.5`` binary data carry nothing any more.
    """
    return torch.where(_uniform(x, generator) < level, (low + high) - x, x)


@register_noise(Range(0.0, 1.0), "the largest strength of any of the three")
def mixed(x: Tensor, level: Level, low: float, high: float, generator: Source) -> Tensor:
    """Damage each sample by Gaussian, masking or salt-and-pepper noise of a strength up to level.

    For a network that does not know which noise it meets. One of the three is drawn for each
    sample, all as often, and its strength uniformly: the standard deviation in the data's units, or
    the share of elements. What masking leaves stays as it is, for at use nobody knows how much it
    left.
    """
    which = _uniform(_one_a_sample(x), generator)
    strength = level * _uniform(_one_a_sample(x), generator)
    draw = _uniform(x, generator)
    added = x + strength.to(x.dtype) * _normal(x, generator)
    masked = x.masked_fill(draw < strength, 0.0)
    replaced = x.masked_fill(draw < strength, high).masked_fill(draw < strength / 2, low)
    return torch.where(which < 1 / 3, added, torch.where(which < 2 / 3, masked, replaced))


@dataclass(frozen=True)
class Noise:
    """One noise with its level, checked once and then called on every batch.

    ``level`` of ``gaussian`` is a standard deviation in the data's units; of ``masking``,
    ``salt_and_pepper`` and ``flip`` a probability for each element (``masking``: below 1); of
    ``mixed`` the largest of either. ``share`` is the probability that a sample is touched at all,
    ``low`` and ``high`` the range of the data. With ``missing``, samples may hold NaN, which then
    stays: the end of a short sequence. ``options`` are further options of that noise.
    """

    name: str
    level: float = 0.0
    share: float = field(default=1.0, kw_only=True)
    low: float = field(default=0.0, kw_only=True)
    high: float = field(default=1.0, kw_only=True)
    missing: bool = field(default=False, kw_only=True)
    options: Mapping[str, Any] = field(default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        entry = NOISES[self.name]
        check_options("options", Argument("noise", self.name), entry.options, self.options)
        if not (_is_finite(self.level) and self.level in entry.level):
            raise InputError(
                f"must be {entry.level} for noise {self.name!r} ({entry.meaning})",
                argument="level",
                value=self.level,
                remedy=(Use("level", 0.3), ", or 0 for no noise"),
            )
        if not (_is_finite(self.share) and 0.0 < self.share <= 1.0):
            raise InputError(
                "must be above 0 and at most 1: the share of samples that the noise touches",
                argument="share",
                value=self.share,
                remedy=(Use("share", 1.0), " for all of them, or ", Argument("level", 0)),
            )
        for key, value in (("low", self.low), ("high", self.high)):
            if not _is_finite(value):
                raise InputError(
                    argument=key,
                    value=value,
                    allowed="a finite number",
                    remedy="give the smallest and the largest value of the data",
                )
        if self.low >= self.high:
            raise InputError(
                ("must be below ", Argument("high", self.high)),
                argument="low",
                value=self.low,
                remedy="give the smallest and the largest value of the data",
            )

    def __call__(
        self, x: Tensor, generator: Source = None, *, level: Tensor | None = None
    ) -> Tensor:
        """Draw a noisy version of ``x`` (n, ...), floating point; level 0 returns ``x`` itself.

        ``level`` is a scalar tensor instead of ``self.level``, where that is not 0: one for each
        network of a stack. The generator is on the device of ``x``; None is torch's global one.
        """
        if not x.is_floating_point():
            raise InputError(
                f"x has dtype {x.dtype}, noise needs floating-point data; use x.float() "
                "(after scaling 0..255 images to 0..1)."
            )
        if self.level == 0:
            return x
        strength = self.level if level is None else level
        draw = NOISES[self.name].draw
        noisy = draw(x, strength, self.low, self.high, generator, **self.options)
        if self.missing:
            noisy = torch.where(x.isnan(), x, noisy)
        if self.share == 1.0:
            return noisy
        return torch.where(_uniform(_one_a_sample(x), generator) < self.share, noisy, x)


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
