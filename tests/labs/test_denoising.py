"""Denoising methods on images with a clean target, and the verdict both ways."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from cuello_labs import denoising as lab
from cuello_labs._packed import pack

RNG = np.random.default_rng(0)


def test_median_takes_out_a_single_pixel_and_mixes_no_images():
    X = np.zeros((3, 6, 6))
    X[1, 2, 2] = 1.0
    X[2] = 1.0
    assert lab.median(X, 3).tolist() == [
        np.zeros((6, 6)).tolist(),
        np.zeros((6, 6)).tolist(),
        np.ones((6, 6)).tolist(),
    ]


def test_projection_on_some_components_is_that_of_a_smaller_pca():
    X = RNG.random((40, 3, 3))
    flat = X.reshape(40, -1)
    small = PCA(2).fit(flat)
    expected = small.inverse_transform(small.transform(flat)).reshape(X.shape)
    assert lab.project(PCA(9).fit(flat), X, 2) == pytest.approx(expected)


def test_masked_pixels_are_zero_and_others_stay():
    X = RNG.random((5, 8, 8), dtype=np.float32) + 0.1
    noisy = lab.add_noise(X, "masking", 0.5, 0)
    assert ((noisy == 0) | (noisy == X)).all()
    assert 0.3 < (noisy == 0).mean() < 0.7
    assert (lab.add_noise(X, "masking", 0.5, 0) == noisy).all()


def record(noise, seed, noisy, median, pca, ours):
    measured = zip(lab.METHODS, (noisy, median, pca, ours), strict=True)
    result = {"options": {"data": "digits", "noise": noise, "level": 0.5}, "seed": seed}
    for name, value in measured:
        result |= {f"{name} psnr": value + 0.01 * seed, f"{name} ssim": value / 30}
        result |= {f"{name} images": pack(np.zeros((6, 8, 8)))} if seed == 0 else {}
    drawn = {"clean images": pack(np.zeros((6, 8, 8))), "side": 8} if seed == 0 else {}
    return {**result, **drawn}


@pytest.mark.parametrize(
    ("ours", "holds", "told"),
    [
        (20.0, True, "in 2 of 2"),
        (12.0, True, "in 0 of 2"),
        (9, False, "but in 2 of 2 cases (digits, gaussian 0.5; digits, masking 0.5)"),
    ],
)
def test_verdict(ours, holds, told):
    noises = ("gaussian", "masking")
    findings = lab.show([record(n, s, 10.0, 15.0, 14.0, ours) for n in noises for s in (0, 1)])
    assert findings.holds is holds
    assert told in findings.verdict
