"""Noise that a denoising autoencoder learns to undo, drawn for a whole batch at once.

A kind of noise is one function ``fn(x, level, *, low, high, generator, <own options>)``. Decorating
it with :func:`register` is all it takes: :class:`Noise`, the command line and the tests find its
name in :data:`NOISES` and its own options in its signature.

Every function works out of place, on any shape and device, keeps the dtype, and never waits for the
device. ``generator=None`` draws from torch's global generator, so a seeded loop repeats itself.

Gaussian, masking and salt-and-pepper noise are those of Vincent et al., "Stacked denoising
autoencoders: learning useful representations in a deep network with a local denoising criterion",
JMLR 11 (2010), 3371-3408.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from cuello.errors import InputError, unknown

__all__ = [
    "NOISES",
    "Noise",
    "flip",
    "gaussian",
    "masking",
    "mixed",
    "none",
    "options",
    "register",
    "salt_and_pepper",
]

NoiseFunction = Callable[..., Tensor]

NOISES: dict[str, NoiseFunction] = {}
"""Every kind of noise by name."""

_HIGHEST: dict[
    str, tuple[float, bool]
] = {}  # name -> (largest level, whether it is allowed itself)


def register(
    highest: float = math.inf, *, inclusive: bool = False
) -> Callable[[NoiseFunction], NoiseFunction]:
    """Make a function known as a kind of noise, under its own name.

    Parameters
    ----------
    highest : float, default infinity
        Levels run from 0 to this.
    inclusive : bool, default False
        Whether ``highest`` itself is allowed.
    """

    def add(function: NoiseFunction) -> NoiseFunction:
        name: str = function.__name__
        NOISES[name] = function
        _HIGHEST[name] = (highest, inclusive)
        return function

    return add


def options(name: str) -> dict[str, Any]:
    """Options that one kind of noise has beyond the common ones, with their defaults.

    Raises
    ------
    InputError
        If the name is not registered.

    Examples
    --------
    >>> options("masking"), options("gaussian")
    ({'rescale': True}, {})
    """
    if name not in NOISES:
        raise unknown("noise", name, NOISES)
    return {
        p.name: p.default
        for p in inspect.signature(NOISES[name]).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name not in ("low", "high", "generator")
    }


def _uniform(x: Tensor, generator: torch.Generator | None) -> Tensor:
    # float32 whatever x is: a bfloat16 uniform has 256 values, so no event rarer than 1/256.
    return torch.rand(x.shape, dtype=torch.float32, device=x.device, generator=generator)


@register()
def none(
    x: Tensor,
    level: float,
    *,
    low: float = 0.0,
    high: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return ``x`` itself; every other argument is accepted and ignored.

    Examples
    --------
    >>> x = torch.ones(2, 3)
    >>> none(x, 0.5) is x
    True
    """
    return x


@register()
def gaussian(
    x: Tensor,
    level: float,
    *,
    low: float = 0.0,
    high: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Add independent normal noise of standard deviation ``level``, in the data's units.

    The result is not clipped to ``low..high``. Clipping pushes values at the edge of the range
    inwards on average (a black pixel only ever gets brighter), and the denoiser then learns that
    offset instead of the regression to the mean that ties it to the density of the data.

    Examples
    --------
    >>> x = torch.zeros(100, 100)
    >>> y = gaussian(x, 0.5, generator=torch.Generator().manual_seed(0))
    >>> round(y.std().item(), 1)
    0.5
    """
    noise = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
    return x + level * noise


@register(1.0)
def masking(
    x: Tensor,
    level: float,
    *,
    low: float = 0.0,
    high: float = 1.0,
    generator: torch.Generator | None = None,
    rescale: bool = True,
) -> Tensor:
    """Set each element to 0 with probability ``level``; the others grow by ``1 / (1 - level)``.

    Parameters
    ----------
    rescale : bool, default True
        Divide what survives by ``1 - level`` so that the expectation is ``x``, as inverted dropout
        does (Srivastava et al., JMLR 15, 2014). Vincent et al. do not: their encoder meets weaker
        inputs in training than at use, when nothing is masked, and its reconstruction of clean
        data comes out too strong. False gives their noise, for data whose 0/1 must stay 0/1.

    Examples
    --------
    >>> x = torch.ones(1, 8)
    >>> masking(x, 0.5, generator=torch.Generator().manual_seed(0)).unique()
    tensor([0., 2.])
    """
    kept = x / (1.0 - level) if rescale else x
    return kept.masked_fill(_uniform(x, generator) < level, 0.0)


@register(1.0, inclusive=True)
def salt_and_pepper(
    x: Tensor,
    level: float,
    *,
    low: float = 0.0,
    high: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Set each element, with probability ``level``, to ``low`` or ``high``, half the time each.

    Examples
    --------
    >>> x = torch.full((1, 8), 0.5)
    >>> salt_and_pepper(x, 1.0, generator=torch.Generator().manual_seed(0)).unique()
    tensor([0., 1.])
    """
    draw = _uniform(x, generator)
    return x.masked_fill(draw < level, high).masked_fill(draw < level / 2, low)


@register(1.0, inclusive=True)
def flip(
    x: Tensor,
    level: float,
    *,
    low: float = 0.0,
    high: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mirror each element in its range, ``low + high - x``, with probability ``level``.

    Flips the sign of -1/+1 data and the pixels of 0/1 data: the bit-flip noise of a binary
    symmetric channel. At ``level=0.5`` binary data carry nothing any more.

    Examples
    --------
    >>> flip(torch.tensor([[-1.0, 1.0]]), 1.0, low=-1.0, high=1.0)
    tensor([[ 1., -1.]])
    """
    return torch.where(_uniform(x, generator) < level, (low + high) - x, x)


@register(1.0, inclusive=True)
def mixed(
    x: Tensor,
    level: float,
    *,
    low: float = 0.0,
    high: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Damage each row by Gaussian, masking or salt-and-pepper noise, of a strength from 0 to level.

    For a network that will not be told which noise it meets. One of the three is drawn for each
    row, all as often, and its strength uniformly: the standard deviation in the data's units, or
    the share of elements. What masking leaves stays as it is, for at use nobody knows how much it
    left.

    Examples
    --------
    >>> y = mixed(torch.full((300, 50), 0.5), 1.0, generator=torch.Generator().manual_seed(0))
    >>> values = [len(row.unique()) for row in y]  # masked: 0 and 0.5; replaced: 1, too
    >>> [round(values.count(n) / 300, 1) for n in (2, 3, 50)]
    [0.3, 0.3, 0.4]
    """
    one_a_row = x[(slice(None), *[slice(0, 1)] * (x.ndim - 1))]
    which = _uniform(one_a_row, generator)
    strength = level * _uniform(one_a_row, generator)
    draw = _uniform(x, generator)
    noise = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
    added = x + strength.to(x.dtype) * noise
    masked = x.masked_fill(draw < strength, 0.0)
    replaced = x.masked_fill(draw < strength, high).masked_fill(draw < strength / 2, low)
    return torch.where(which < 1 / 3, added, torch.where(which < 2 / 3, masked, replaced))


@dataclass(frozen=True)
class Noise:
    """One kind of noise with its level, checked once and then called on every batch.

    Parameters
    ----------
    name : str
        A name in :data:`NOISES`.
    level : float
        ``gaussian``: standard deviation in the data's units, 0 or more. ``masking``,
        ``salt_and_pepper``, ``flip``: probability for each element, 0..1 (``masking``: below 1).
        ``mixed``: the largest of either, 0..1.
    share : float
        Probability in (0, 1] that a row is touched at all.
    low, high : float
        Range of the data, for the kinds that need one.
    missing : bool
        Whether rows may hold NaN, which then stays: the end of a short sequence.
    options : mapping of str to value
        Options of that kind alone, see :func:`options`.

    Raises
    ------
    InputError
        If the name, the level, the range or an option is not allowed.

    Examples
    --------
    >>> noise = Noise("flip", 1.0, low=-1.0, high=1.0)
    >>> noise(torch.tensor([[-1.0, 1.0]]))
    tensor([[ 1., -1.]])
    >>> Noise("masking", 1.5)
    Traceback (most recent call last):
    cuello.errors.InputError: level=1.5 must be in 0 <= level < 1 for noise 'masking' ...
    """

    name: str
    level: float = 0.0
    share: float = field(default=1.0, kw_only=True)
    low: float = field(default=0.0, kw_only=True)
    high: float = field(default=1.0, kw_only=True)
    missing: bool = field(default=False, kw_only=True)
    options: Mapping[str, Any] = field(default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        own = options(self.name)
        for option in self.options:
            if option not in own:
                raise InputError(
                    f"options: {option!r} is not one of noise {self.name!r}, which has "
                    f"{', '.join(own) or 'none'}; leave it out."
                )
        self._check_level()
        if not (_is_finite(self.share) and 0.0 < self.share <= 1.0):
            raise InputError(
                f"share={self.share!r} must be above 0 and at most 1: the share of rows that the "
                "noise touches; use 1 for all of them, or level=0 for no noise."
            )
        for key, value in (("low", self.low), ("high", self.high)):
            if not _is_finite(value):
                raise InputError(
                    f"{key}={value!r} must be a finite number; "
                    "give the smallest and the largest value of the data."
                )
        if self.low >= self.high:
            raise InputError(
                f"low={self.low!r} must be below high={self.high!r}; "
                "give the smallest and the largest value of the data."
            )

    def _check_level(self) -> None:
        highest, inclusive = _HIGHEST[self.name]
        level = self.level
        if _is_finite(level) and (0 <= level < highest or (inclusive and level == highest)):
            return
        if math.isinf(highest):
            allowed, meaning = "a finite number, 0 or more,", "a spread in the data's units"
        else:
            allowed = f"in 0 <= level {'<=' if inclusive else '<'} {highest:g}"
            meaning = "the share of elements that it touches"
        raise InputError(
            f"level={level!r} must be {allowed} for noise {self.name!r} ({meaning}); "
            "try 0.3, or level=0 for no noise."
        )

    def __call__(
        self,
        x: Tensor,
        generator: torch.Generator | None = None,
        *,
        level: Tensor | None = None,
    ) -> Tensor:
        """Draw a noisy version of ``x``; level 0 returns ``x`` itself and draws nothing.

        Parameters
        ----------
        x : Tensor of shape (n, ...), floating point
            A batch; never changed.
        generator : torch.Generator, optional
            On the device of ``x``. None: torch's global generator.
        level : Tensor of shape (), optional
            Instead of ``self.level``, where that is not 0: one for each network of a stack.
        """
        if not x.is_floating_point():
            raise InputError(
                f"x has dtype {x.dtype}, noise needs floating-point data; use x.float() "
                "(after scaling 0..255 images to 0..1)."
            )
        if self.level == 0:
            return x
        noisy = NOISES[self.name](
            x,
            self.level if level is None else level,
            low=self.low,
            high=self.high,
            generator=generator,
            **self.options,
        )
        if self.missing:
            noisy = torch.where(x.isnan(), x, noisy)
        if self.share == 1.0:
            return noisy
        one_a_row = x[(slice(None), *[slice(0, 1)] * (x.ndim - 1))]
        return torch.where(_uniform(one_a_row, generator) < self.share, noisy, x)


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
