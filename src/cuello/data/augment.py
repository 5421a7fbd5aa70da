"""Small random changes to a batch of images: moved, turned, bent, partly covered, paler.

Every image of a batch draws its own change. Shift, rotation, scale and shear become one matrix an
image, the elastic field is added to the positions it gives, and all of it is sampled once, so that
one interpolation blurs the picture, not four. Nothing loops over images or waits for the device.

Sources: see :mod:`cuello.data.image_changes`. Shapes: B images, C channels, H rows, W columns.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from cuello.data import image_changes
from cuello.errors import InputError, Use, unknown
from cuello.options import Range

__all__ = ["Augment"]

PADDINGS = ("border", "zeros")
MILD = ("shift", "rotate", "scale", "shear")


def _amount(mild: float, highest: float | None, unit: str) -> Any:
    """Return a field for an amount: 0 is off, ``mild`` the value of its bare name."""
    return field(default=0.0, metadata={"mild": mild, "range": Range(0.0, highest), "unit": unit})


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Random changes for a batch of images, each image its own.

    Every amount is the largest change; the change itself is uniform between the two extremes. 0
    leaves that change out, and an ``Augment()`` with nothing set returns the very tensor it got.

    Parameters
    ----------
    shift : float, default 0, 0..1
        Fraction of the height (up, down) and of the width (left, right).
    rotate : float, default 0, 0..180
        Degrees, both ways. A turn in pixels, also where height and width differ.
    scale : float, default 0, 0..9
        Relative change of size: 0.1 draws a factor from 1/1.1 to 1.1, as often larger as smaller.
    shear : float, default 0, 0..80
        Degrees by which vertical strokes slant, both ways.
    elastic : float, default 0
        Largest displacement in pixels along x and along y, of a cubic B-spline with uniform
        coefficients, four spans to the smaller side: on 28x28 images as smooth as Simard et al.'s
        Gaussian of 4 pixels. Up to 0.12 of the smaller side the image cannot fold over itself
        (Choi & Lee, "Injectivity conditions of 2D and 3D uniform cubic B-spline functions", 2000).
    cutout : float, default 0, 0..1
        Side of the covered square as a fraction of the smaller side, one pixel at least. Its centre
        is uniform over the pixels, so the edge cuts part of it off, as in DeVries & Taylor. It is
        filled with the mean of each channel of the image.
    brightness : float, default 0, 0..9
        Relative change of brightness: 0.5 draws a factor from 1/1.5 to 1.5 for what each pixel is
        above the darkest of its image, in each channel. White may become whiter than white.
    flip : bool, default False
        Mirror left and right, every second image by chance: a mirrored character is another one.
    padding : {"border", "zeros"}, default "border"
        What comes in from outside: the nearest pixel of the image's edge, or 0. The edge is the
        background whatever its brightness; 0 would put black corners on white paper.

    Examples
    --------
    >>> images = torch.rand(16, 28, 20)
    >>> augment = Augment(shift=0.1, rotate=10)
    >>> augment(images).shape
    torch.Size([16, 28, 20])
    >>> Augment()(images) is images
    True
    >>> print(Augment.mild())
    shift=0.08,rotate=8.0,scale=0.1,shear=5.0
    """

    shift: float = _amount(0.08, 1.0, "fraction of the side")
    rotate: float = _amount(8.0, 180.0, "degrees")
    scale: float = _amount(0.1, 9.0, "relative change of size")
    shear: float = _amount(5.0, 80.0, "degrees")
    elastic: float = _amount(1.0, None, "pixels")
    cutout: float = _amount(0.25, 1.0, "fraction of the smaller side")
    brightness: float = _amount(0.3, 9.0, "relative change of brightness")
    flip: bool = field(default=False, metadata={"mild": True})
    padding: str = "border"

    def __post_init__(self) -> None:
        for change in fields(self):
            value, about = getattr(self, change.name), change.metadata
            real = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
            if "range" not in about or (real and value in about["range"]):
                continue
            raise InputError(
                argument=change.name,
                value=value,
                allowed=f"a number, {about['range']} ({about['unit']})",
                remedy=(Use(change.name, about["mild"]), ", or 0 to leave it out"),
            )
        if not isinstance(self.flip, bool):
            raise InputError(argument="flip", value=self.flip, allowed="True or False")
        if self.padding not in PADDINGS:
            raise unknown("padding", self.padding, PADDINGS)

    @classmethod
    def mild(cls) -> Augment:
        """Return shift, rotation, scale and shear that leave a digit or character what it is."""
        return cls(**{name: _FIELDS[name].metadata["mild"] for name in MILD})

    @classmethod
    def parse(cls, text: str) -> Augment:
        """Read ``name=value`` or bare names, separated by commas, as ``str`` writes them.

        A bare name takes its mild amount; ``mild`` stands for those of :meth:`mild`, and ``none``
        for nothing. An unknown or repeated name, or a value that is not allowed, is an InputError.
        """
        chosen: dict[str, Any] = {}
        for part in text.split(","):
            name, has_value, value = (piece.strip() for piece in part.partition("="))
            bare = name in ("mild", "none") and not has_value
            if name not in _FIELDS and not bare:
                raise unknown("augmentation", name, [*_FIELDS, "mild", "none"])
            if name in chosen or ("none" in (name, *chosen) and chosen):
                raise InputError(
                    f"augmentation {text!r} contradicts itself at {part.strip()!r}; "
                    "give each name once, and 'none' alone."
                )
            chosen[name] = None if bare else _read_value(name, value, bool(has_value))
        base = cls.mild() if "mild" in chosen else cls()
        return replace(base, **{name: v for name, v in chosen.items() if name in _FIELDS})

    def __str__(self) -> str:
        """Return the text that :meth:`parse` reads back; what has its default is left out."""
        values = ((a.name, getattr(self, a.name), a.default) for a in fields(self))
        return ",".join(f"{name}={v}" for name, v, default in values if v != default) or "none"

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw a changed version of every image of a batch, of its shape and dtype, never in place.

        ``x`` is (n, height, width) or (n, channels, height, width), floating point; bfloat16 and
        float16 are computed in float32. The generator is on its device; None is torch's global one.
        But for ``brightness``, no channel leaves its own smallest..largest value (0 included if
        ``padding="zeros"`` moved it in).
        """
        if x.ndim not in (3, 4):
            raise InputError(
                f"x has shape {tuple(x.shape)}, augmentation needs images: (n, height, width) or "
                "(n, channels, height, width); reshape the samples to images, or leave "
                "augmentation out."
            )
        if not x.is_floating_point():
            raise InputError(
                f"x has dtype {x.dtype}, augmentation needs floating-point images; use x.float() "
                "/ 255."
            )
        warps = any((self.shift, self.rotate, self.scale, self.shear, self.elastic))
        if not (warps or self.cutout or self.brightness or self.flip):
            return x
        images = x.unsqueeze(1) if x.ndim == 3 else x
        dtype = x.dtype if x.dtype == torch.float64 else torch.float32
        out = images.to(dtype)
        if self.flip:  # exact, so not part of the matrix
            half = torch.rand(len(x), 1, 1, 1, device=x.device, generator=generator) < 0.5
            out = torch.where(half, out.flip(-1), out)
        if warps:
            out = self._warp(out, generator)
        if self.cutout:
            out = image_changes.cut_out(out, self.cutout, generator)
        if self.brightness:
            out = image_changes.brighten(out, self.brightness, generator)
        return out.to(x.dtype).reshape(x.shape)

    def _warp(self, x_BCHW: Tensor, generator: torch.Generator | None) -> Tensor:
        B, _, H, W = x_BCHW.shape
        zero_B = x_BCHW.new_zeros(B)

        def draw(largest: float) -> Tensor:
            if not largest:  # what is off draws nothing
                return zero_B
            unit_B = torch.rand(B, dtype=zero_B.dtype, device=zero_B.device, generator=generator)
            return (unit_B * 2 - 1) * largest

        inverse_B23 = image_changes.inverse_affine(
            right=draw(self.shift * W),
            down=draw(self.shift * H),
            angle=draw(math.radians(self.rotate)),
            factor=draw(math.log1p(self.scale)).exp(),
            slant=draw(math.radians(self.shear)),
        )
        moved_B2HW = (
            image_changes.elastic_field(x_BCHW, self.elastic, generator) if self.elastic else None
        )
        return image_changes.sample_images(x_BCHW, inverse_B23, moved_B2HW, padding=self.padding)


def _read_value(name: str, value: str, has_value: bool) -> Any:
    mild = _FIELDS[name].metadata.get("mild")
    if not has_value:
        if mild is None:
            choices = " or ".join(f"{name}={padding}" for padding in PADDINGS)
            raise InputError(f"{name} needs a value: {choices}.")
        return mild
    if mild is True:
        return {"true": True, "false": False}.get(value.lower(), value)
    with suppress(ValueError):  # what is no number is refused with the other fields
        return value if mild is None else float(value)
    return value


_FIELDS = {change.name: change for change in fields(Augment)}
