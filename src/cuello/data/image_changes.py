"""Changes of images: affine matrices, elastic fields, one bilinear sampling of both; pixel values.

Sources: Simard, Steinkraus & Platt, "Best practices for convolutional neural networks applied to
visual document analysis", ICDAR 2003 (affine and elastic); Rueckert et al., "Nonrigid registration
using free-form deformations", IEEE TMI 18 (1999) (the spline field); DeVries & Taylor, "Improved
regularization of convolutional neural networks with cutout", arXiv:1708.04552 (2017).

Shapes: B images, C channels, H rows, W columns. Positions are in pixels from the centre of the
image, x to the right and y downwards.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["brighten", "cut_out", "elastic_field", "inverse_affine", "sample_images"]


def inverse_affine(
    *, right: Tensor, down: Tensor, angle: Tensor, factor: Tensor, slant: Tensor
) -> Tensor:
    """Return where each output pixel comes from: (B, 2, 3), acting on (x, y, 1) from the centre.

    The picture is slanted (above zero: to the right at the top), then turned anticlockwise by
    ``angle`` (both in radians), then enlarged by ``factor``, then moved ``right`` and ``down`` by
    pixels; this is the inverse, written out.
    """
    cos, sin, lean = angle.cos() / factor, angle.sin() / factor, slant.tan()
    xx, xy = cos + lean * sin, lean * cos - sin
    yx, yy = sin, cos
    x1, y1 = -(xx * right + xy * down), -(yx * right + yy * down)
    return torch.stack([xx, xy, x1, yx, yy, y1], dim=-1).view(-1, 2, 3)


def sample_images(
    x_BCHW: Tensor, inverse_B23: Tensor, moved_B2HW: Tensor | None = None, *, padding: str
) -> Tensor:
    """Read every output pixel at its position in the input: one bilinear interpolation."""
    H, W = x_BCHW.shape[-2:]
    right_W, down_H = _from_centre(W, x_BCHW), _from_centre(H, x_BCHW)
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


def _from_centre(size: int, like: Tensor) -> Tensor:
    """Return the positions of pixels from the middle of a side."""
    return torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2


def elastic_field(x_BCHW: Tensor, amplitude: float, generator: torch.Generator | None) -> Tensor:
    """Draw smooth displacements in pixels along x and y, (B, 2, H, W), within ``amplitude``."""
    # Weights of a cubic B-spline are positive and sum to 1; bicubic upsampling would overshoot.
    B, _, H, W = x_BCHW.shape
    span = max(min(H, W) / 4, 1.0)
    rows, columns = spline_basis(H, span, x_BCHW), spline_basis(W, span, x_BCHW)
    # About 7x7 coefficients an image: one matrix product for the whole batch. Autocast may round
    # it, by 0.4 % of the amplitude.
    weights = torch.kron(rows, columns)
    shape = (2 * B, weights.shape[1])
    unit = torch.rand(shape, dtype=weights.dtype, device=weights.device, generator=generator)
    return (((unit * 2 - 1) * amplitude) @ weights.mT).view(B, 2, H, W)


def spline_basis(size: int, span: float, like: Tensor) -> Tensor:
    """Return weights of cubic B-spline coefficients ``span`` pixels apart, (size, knots)."""
    knots = math.floor((size - 1) / span) + 4
    at = torch.arange(size, dtype=like.dtype, device=like.device)[:, None] / span + 1
    distance = (at - torch.arange(knots, dtype=like.dtype, device=like.device)).abs()
    return ((2 - distance).clamp(min=0) ** 3 - 4 * (1 - distance).clamp(min=0) ** 3) / 6


def cut_out(x_BCHW: Tensor, fraction: float, generator: torch.Generator | None) -> Tensor:
    """Cover one square of each image with the image's mean."""
    B, _, H, W = x_BCHW.shape
    side = max(round(fraction * min(H, W)), 1)

    def covered(size: int) -> Tensor:
        centre = torch.randint(size, (B, 1), device=x_BCHW.device, generator=generator)
        offset = torch.arange(size, device=x_BCHW.device) - (centre - side // 2)
        return (offset >= 0) & (offset < side)

    square_BHW = covered(H)[:, :, None] & covered(W)[:, None, :]
    return torch.where(square_BHW[:, None], x_BCHW.mean((-2, -1), keepdim=True), x_BCHW)


def brighten(x_BCHW: Tensor, largest: float, generator: torch.Generator | None) -> Tensor:
    """Bring the pixels of each image nearer to its darkest, or further from it."""
    unit_B111 = torch.rand(
        (len(x_BCHW), 1, 1, 1), dtype=x_BCHW.dtype, device=x_BCHW.device, generator=generator
    )
    factor_B111 = ((unit_B111 * 2 - 1) * math.log1p(largest)).exp()
    darkest = x_BCHW.amin((-2, -1), keepdim=True)
    return darkest + (x_BCHW - darkest) * factor_B111
