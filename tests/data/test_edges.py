"""Directions of edges: laws, and a slow count written down once more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.data.edges import CELLS, DIRECTIONS, edge_histograms

shapes = st.sampled_from([(28, 28), (7, 5), (3, 9, 12), (1, 1), (2, 64, 30)])


def some(shape, seed=0, n=3):
    return np.random.default_rng(seed).random((n, *shape))


def slow_count(image):
    """Shares of directions by cell, (DIRECTIONS, cells, cells), of one image (H, W)."""
    height, width = image.shape
    framed = np.pad(image, 1, mode="edge")
    by_pixel = np.zeros((DIRECTIONS, height, width))
    for i in range(height):
        for j in range(width):
            part = framed[i : i + 3, j : j + 3]
            down = (part[0] - part[2]) @ [1, 2, 1]
            right = (part[:, 0] - part[:, 2]) @ [1, 2, 1]
            turn = np.arctan2(down, right) / (2 * np.pi) * DIRECTIONS
            low = int(np.floor(turn))
            for direction, share in ((low, low + 1 - turn), (low + 1, turn - low)):
                by_pixel[direction % DIRECTIONS, i, j] += share * np.hypot(down, right)
    strides = [max(-(-size // CELLS), 1) for size in (height, width)]
    tops, lefts = range(0, height, strides[0]), range(0, width, strides[1])
    cells = np.zeros((DIRECTIONS, len(tops), len(lefts)))
    for a, top in enumerate(tops):
        for b, left in enumerate(lefts):
            rows = slice(max(top - strides[0], 0), top + strides[0] + 1)
            columns = slice(max(left - strides[1], 0), left + strides[1] + 1)
            cells[:, a, b] = by_pixel[:, rows, columns].sum(axis=(1, 2))
    return cells / cells.sum()


@pytest.mark.parametrize("shape", [(28, 28), (7, 5), (10, 16)])
def test_it_is_what_counting_edges_by_hand_gives(shape):
    for image, found in zip(some(shape), edge_histograms(some(shape)), strict=True):
        np.testing.assert_allclose(found**2, slow_count(image).ravel(), atol=2e-5)


@given(shapes, st.integers(0, 5))
def test_shares_sum_to_one_and_channels_add(shape, seed):
    images = some(shape, seed)
    found = edge_histograms(images)
    cells = [len(range(0, size, max(-(-size // CELLS), 1))) for size in shape[-2:]]
    assert found.shape == (3, DIRECTIONS * cells[0] * cells[1])
    sums = (found.astype(np.float64) ** 2).sum(axis=1)
    np.testing.assert_allclose(sums, 0.0 if shape == (1, 1) else 1.0, atol=1e-5)
    np.testing.assert_allclose(
        edge_histograms(np.stack([images[0], images[0]])[None].reshape(1, -1, *shape[-2:]))[0],
        found[0],
        atol=1e-5,
    )


@given(st.floats(0.1, 50.0), st.floats(-3.0, 3.0))
def test_neither_brightness_nor_contrast_counts(contrast, brightness):
    images = some((12, 12))
    np.testing.assert_allclose(
        edge_histograms(contrast * images + brightness), edge_histograms(images), atol=2e-3
    )


def test_a_negative_turns_every_direction_by_half_and_a_mirror_swaps_sides():
    images = some((14, 14))
    turned = edge_histograms(-images).reshape(3, DIRECTIONS, 7, 7)
    here = edge_histograms(images).reshape(3, DIRECTIONS, 7, 7)
    np.testing.assert_allclose(np.roll(turned, DIRECTIONS // 2, axis=1), here, atol=1e-5)


def test_a_small_shift_moves_an_image_less_than_another_image_is_away():
    image = np.zeros((28, 28))
    image[6:22, 12:15] = 1.0
    here, shifted, lying = edge_histograms(np.stack([image, np.roll(image, 2, axis=1), image.T]))
    assert np.linalg.norm(here - shifted) < 0.6 * np.linalg.norm(here - lying)
    pixels = np.linalg.norm(image - np.roll(image, 2, axis=1))
    assert pixels > 0.8 * np.linalg.norm(image - image.T), "by pixels they are as far apart"


def test_an_image_without_edges_has_none_and_many_images_are_the_same_alone():
    images = np.concatenate([np.full((1, 9, 9), 7.0), some((9, 9), n=1500)])
    found = edge_histograms(images)
    assert not found[0].any()
    np.testing.assert_allclose(edge_histograms(images[1400:1401])[0], found[1400], atol=1e-6)
