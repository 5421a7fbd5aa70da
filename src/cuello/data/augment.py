"""Small random changes to a batch of images: moved, turned, bent, partly covered, paler.

Every image of a batch draws its own change. Shift, rotation, scale and shear become one matrix an
image, the elastic field is added to the positions which that matrix gives, and all of it is sampled
once, so that the picture is blurred by one interpolation and not by four. There is no loop over
images and nothing here waits for the device.

Sources: Simard, Steinkraus & Platt, "Best practices for convolutional neural networks applied to
visual document analysis", ICDAR 2003 (affine and elastic); Rueckert et al., "Nonrigid registration
using free-form deformations", IEEE TMI 18 (1999) (the spline field); DeVries & Taylor, "Improved
regularization of convolutional neural networks with cutout", arXiv:1708.04552 (2017).

Shapes: B images, C channels, H rows, W columns. Positions are in pixels from the centre of the
image, x to the right and y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cuello.errors import InputError, unknown

__all__ = ["Augment"]

PADDINGS = ("border", "zeros")
MILD = ("shift", "rotate", "scale", "shear")


def _amount(mild: float, highest: float, unit: str) -> Any:
    """Describe one amount once: 0 is off, ``mild`` is what its bare name means."""
    return field(default=0.0, metadata={"mild": mild, "highest": highest, "unit": unit})


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
        Largest displacement in pixels along x and along y, of a smooth random field: a cubic
        B-spline with uniform coefficients, four spans to the smaller side. On 28x28 images that is
        as smooth as Simard et al.'s Gaussian of 4 pixels; a typical displacement is a quarter of
        the largest. Up to 0.12 of the smaller side the image cannot fold over itself (Choi & Lee,
        "Injectivity conditions of 2D and 3D uniform cubic B-spline functions", 2000).
    cutout : float, default 0, 0..1
        Side of the covered square as a fraction of the smaller side, one pixel at least. Its centre
        is uniform over the pixels, so the edge cuts part of it off, as in DeVries & Taylor. They
        fill it with 0 in centred data, that is with the mean; here it is each image's own mean, for
        each channel, in any scale of the data.
    brightness : float, default 0, 0..9
        Relative change of brightness: 0.5 draws a factor from 1/1.5 to 1.5 for what each pixel is
        above the darkest of its image, in each channel. White may become whiter than white.
    flip : bool, default False
        Mirror left and right, every second image by chance. Off, since a mirrored character is
        another character or none.
    padding : {"border", "zeros"}, default "border"
        What comes in from outside: the nearest pixel of the image's edge, or 0. The edge is the
        background whatever its brightness; 0 would put black corners on white paper.

    Raises
    ------
    InputError
        If an amount is not a number in its range, or the padding is not known.

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
    elastic: float = _amount(1.0, math.inf, "pixels")
    cutout: float = _amount(0.25, 1.0, "fraction of the smaller side")
    brightness: float = _amount(0.3, 9.0, "relative change of brightness")
    flip: bool = False
    padding: str = "border"

    def __post_init__(self) -> None:
        for amount in fields(self):
            if amount.metadata:
                _check_amount(amount.name, getattr(self, amount.name), amount.metadata)
        if not isinstance(self.flip, bool):
            raise InputError(f"flip={self.flip!r} must be True or False.")
        if self.padding not in PADDINGS:
            raise unknown("padding", self.padding, PADDINGS)

    @classmethod
    def mild(cls) -> Augment:
        """Shift, rotation, scale and shear that leave a digit or character what it is."""
        return cls(**{a.name: a.metadata["mild"] for a in fields(cls) if a.name in MILD})

    @classmethod
    def parse(cls, text: str) -> Augment:
        """Read ``name=value`` or bare names, separated by commas.

        A bare name takes its mild amount; ``mild`` stands for those of :meth:`mild`, and ``none``
        for nothing. ``parse(str(augment)) == augment``.

        Raises
        ------
        InputError
            If a name is not known or given twice, or a value cannot be read or is not allowed.

        Examples
        --------
        >>> Augment.parse("shift=0.1,rotate") == Augment(shift=0.1, rotate=8)
        True
        >>> Augment.parse("mild,elastic=1.5,padding=zeros").elastic
        1.5
        >>> Augment.parse("rotat=10")
        Traceback (most recent call last):
        cuello.errors.InputError: augmentation='rotat' is not known; did you mean 'rotate'? ...
        """
        known = {a.name: a.metadata for a in fields(cls)}
        given: dict[str, Any] = {}
        for part in text.split(","):
            name, has_value, value = (piece.strip() for piece in part.partition("="))
            bare = name in ("mild", "none") and not has_value
            if name not in known and not bare:
                raise unknown("augmentation", name, [*known, "mild", "none"])
            if name in given or ("none" in (name, *given) and given):
                raise InputError(
                    f"augmentation {text!r} contradicts itself at {part.strip()!r}; "
                    "give each name once, and 'none' alone."
                )
            if not bare:
                given[name] = _read(name, value) if has_value else _bare(name, known[name])
            else:
                given[name] = None
        base = {name: known[name]["mild"] for name in MILD} if "mild" in given else {}
        return cls(**base | {name: value for name, value in given.items() if name in known})

    def __str__(self) -> str:
        """Return the text that :meth:`parse` reads back; what has its default is left out."""
        set_ = {a.name: getattr(self, a.name) for a in fields(self)}
        parts = [f"{a.name}={set_[a.name]}" for a in fields(self) if set_[a.name] != a.default]
        return ",".join(parts) or "none"

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw a changed version of every image.

        Parameters
        ----------
        x : Tensor of shape (n, height, width) or (n, channels, height, width), floating point
            A batch; never changed. bfloat16 and float16 are computed in float32.
        generator : torch.Generator, optional
            On the device of ``x``. None: torch's global generator.

        Returns
        -------
        Tensor
            Of the shape and dtype of ``x``. But for ``brightness``, no channel leaves its own
            smallest..largest value (0 included if ``padding="zeros"`` moved it in).

        Raises
        ------
        InputError
            If ``x`` is a table or not floating point.
        """
        _check_images(x)
        if not (self._warps or self.cutout or self.brightness or self.flip):
            return x
        images = x.unsqueeze(1) if x.ndim == 3 else x
        dtype = x.dtype if x.dtype == torch.float64 else torch.float32
        out = images.to(dtype)
        if self.flip:  # exact, so not part of the matrix
            half = torch.rand(len(x), 1, 1, 1, device=x.device, generator=generator) < 0.5
            out = torch.where(half, out.flip(-1), out)
        if self._warps:
            out = self._warp(out, generator)
        if self.cutout:
            out = _cut_out(out, self.cutout, generator)
        if self.brightness:
            out = _brighten(out, self.brightness, generator)
        return out.to(x.dtype).reshape(x.shape)

    @property
    def _warps(self) -> bool:
        return any((self.shift, self.rotate, self.scale, self.shear, self.elastic))

    def _warp(self, x_BCHW: Tensor, generator: torch.Generator | None) -> Tensor:
        B, _, H, W = x_BCHW.shape
        zero_B = x_BCHW.new_zeros(B)

        def draw(largest: float) -> Tensor:
            if not largest:  # what is off draws nothing
                return zero_B
            unit_B = torch.rand(B, dtype=zero_B.dtype, device=zero_B.device, generator=generator)
            return (unit_B * 2 - 1) * largest

        inverse_B23 = _inverse_affine(
            right=draw(self.shift * W),
            down=draw(self.shift * H),
            angle=draw(math.radians(self.rotate)),
            factor=draw(math.log1p(self.scale)).exp(),
            slant=draw(math.radians(self.shear)),
        )
        moved_B2HW = _elastic_field(x_BCHW, self.elastic, generator) if self.elastic else None
        return _sample(x_BCHW, inverse_B23, moved_B2HW, padding=self.padding)


def _inverse_affine(
    *, right: Tensor, down: Tensor, angle: Tensor, factor: Tensor, slant: Tensor
) -> Tensor:
    """Where each output pixel comes from: (B, 2, 3), acting on (x, y, 1) from the centre.

    The picture is slanted (above zero: to the right at the top), then turned anticlockwise by
    ``angle`` (both in radians), then enlarged by ``factor``, then moved ``right`` and ``down`` by
    pixels; this is the inverse, written out.
    """
    cos, sin, lean = angle.cos() / factor, angle.sin() / factor, slant.tan()
    xx, xy = cos + lean * sin, lean * cos - sin
    yx, yy = sin, cos
    x1, y1 = -(xx * right + xy * down), -(yx * right + yy * down)
    return torch.stack([xx, xy, x1, yx, yy, y1], dim=-1).view(-1, 2, 3)


def _sample(
    x_BCHW: Tensor, inverse_B23: Tensor, moved_B2HW: Tensor | None = None, *, padding: str
) -> Tensor:
    """Read every output pixel at its place in the input: one bilinear interpolation."""
    H, W = x_BCHW.shape[-2:]
    right_W, down_H = _centred(W, x_BCHW), _centred(H, x_BCHW)
    # A row term plus a column term, twice as fast as F.affine_grid. That is a matrix product, which
    # autocast rounds to 8 bits: an error of a twentieth of a pixel and more.
    position_B2HW = (
        inverse_B23[:, :, 0, None, None] * right_W
        + inverse_B23[:, :, 2, None, None]
        + inverse_B23[:, :, 1, None, None] * down_H[:, None]
    )
    if moved_B2HW is not None:
        position_B2HW = position_B2HW + moved_B2HW
    # torch counts in half sides: -1..1 is the whole image, outer edge to outer edge.
    x, y = position_B2HW.unbind(1)
    grid = torch.stack([x * (2 / W), y * (2 / H)], dim=-1)
    out = F.grid_sample(x_BCHW, grid, padding_mode=padding, align_corners=False)
    # The four weights may sum to 1 + 1e-7: keep a white pixel from becoming whiter than white.
    low, high = x_BCHW.amin((-2, -1), keepdim=True), x_BCHW.amax((-2, -1), keepdim=True)
    if padding == "zeros":
        low, high = low.clamp(max=0), high.clamp(min=0)
    return out.clamp(low, high)


def _centred(size: int, like: Tensor) -> Tensor:
    """Positions of pixels from the middle of a side."""
    return torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2


def _elastic_field(x_BCHW: Tensor, amplitude: float, generator: torch.Generator | None) -> Tensor:
    """Smooth random displacements in pixels along x and y, (B, 2, H, W), none beyond ``amplitude``.

    The weights of a cubic B-spline are positive and sum to 1, so the field stays within its
    coefficients; bicubic upsampling would overshoot.
    """
    B, _, H, W = x_BCHW.shape
    span = max(min(H, W) / 4, 1.0)
    rows, columns = _spline_basis(H, span, x_BCHW), _spline_basis(W, span, x_BCHW)
    # About 7x7 coefficients an image: one matrix product for the whole batch. Autocast may round
    # it, by 0.4 % of the amplitude.
    weights = torch.kron(rows, columns)
    shape = (2 * B, weights.shape[1])
    unit = torch.rand(shape, dtype=weights.dtype, device=weights.device, generator=generator)
    return (((unit * 2 - 1) * amplitude) @ weights.mT).view(B, 2, H, W)


def _spline_basis(size: int, span: float, like: Tensor) -> Tensor:
    """Weights of the cubic B-spline coefficients ``span`` pixels apart, for each of ``size``."""
    knots = math.floor((size - 1) / span) + 4
    at = torch.arange(size, dtype=like.dtype, device=like.device)[:, None] / span + 1
    distance = (at - torch.arange(knots, dtype=like.dtype, device=like.device)).abs()
    return ((2 - distance).clamp(min=0) ** 3 - 4 * (1 - distance).clamp(min=0) ** 3) / 6


def _cut_out(x_BCHW: Tensor, fraction: float, generator: torch.Generator | None) -> Tensor:
    """Cover one square of each image with the image's mean."""
    B, _, H, W = x_BCHW.shape
    side = max(round(fraction * min(H, W)), 1)

    def covered(size: int) -> Tensor:
        centre = torch.randint(size, (B, 1), device=x_BCHW.device, generator=generator)
        offset = torch.arange(size, device=x_BCHW.device) - (centre - side // 2)
        return (offset >= 0) & (offset < side)

    square_BHW = covered(H)[:, :, None] & covered(W)[:, None, :]
    return torch.where(square_BHW[:, None], x_BCHW.mean((-2, -1), keepdim=True), x_BCHW)


def _brighten(x_BCHW: Tensor, largest: float, generator: torch.Generator | None) -> Tensor:
    """Bring the pixels of each image nearer to its darkest, or further from it."""
    unit_B111 = torch.rand(
        (len(x_BCHW), 1, 1, 1), dtype=x_BCHW.dtype, device=x_BCHW.device, generator=generator
    )
    factor_B111 = ((unit_B111 * 2 - 1) * math.log1p(largest)).exp()
    darkest = x_BCHW.amin((-2, -1), keepdim=True)
    return darkest + (x_BCHW - darkest) * factor_B111


def _check_images(x: Tensor) -> None:
    if x.ndim not in (3, 4):
        raise InputError(
            f"x has shape {tuple(x.shape)}, augmentation needs images: (n, height, width) or "
            "(n, channels, height, width); reshape the rows to images, or leave augmentation out."
        )
    if not x.is_floating_point():
        raise InputError(
            f"x has dtype {x.dtype}, augmentation needs floating-point images; use x.float() / 255."
        )


def _check_amount(name: str, value: object, about: Mapping[str, Any]) -> None:
    highest = about["highest"]
    number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not (number and 0 <= value <= highest):  # type: ignore[operator]
        allowed = "0 or more" if math.isinf(highest) else f"in 0..{highest:g}"
        raise InputError(
            f"{name}={value!r} must be a number {allowed} ({about['unit']}); "
            f"try {name}={about['mild']:g}, or 0 to leave it out."
        )


def _bare(name: str, about: Mapping[str, Any]) -> Any:
    if name == "padding":
        raise InputError(f"padding needs a value: padding={' or padding='.join(PADDINGS)}.")
    return True if name == "flip" else about["mild"]


def _read(name: str, value: str) -> Any:
    if name == "padding":
        return value
    if name == "flip":
        return {"true": True, "false": False}.get(value.lower(), value)
    try:
        return float(value)
    except ValueError:
        raise InputError(
            f"{name}={value!r} is not a number; write for example {name}=0.1, or 0 to leave it out."
        ) from None
