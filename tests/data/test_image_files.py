import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cuello.data import load
from cuello.errors import DataError, InputError

RNG = np.random.default_rng(0)


def gray(*shape):
    return RNG.integers(0, 256, shape or (6, 5), dtype=np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 5),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    colour=st.booleans(),
    suffix=st.sampled_from([".png", ".bmp", ".tif", ".PNG"]),
)
def test_known_pixels_come_back(tmp_path_factory, count, size, colour, suffix):
    folder = tmp_path_factory.mktemp("images")
    pixels = gray(count, *size, *([3] if colour else []))
    for i in range(count):
        save(folder / f"{i}{suffix}", pixels[i])
    data = load(folder)
    expected = pixels.transpose(0, 3, 1, 2) if colour else pixels
    np.testing.assert_array_equal(data.X, expected)
    assert data.row_names == tuple(f"{i}{suffix}" for i in range(count))
    assert data.encoding == {
        "type": "images",
        "size": list(size),
        "mode": "RGB" if colour else "L",
    }
    assert data.y is None


def test_sub_folders_are_classes(tmp_path):
    pixels = {
        name: gray()
        for name in ("dog/b.png", "cat/x/1.png", "cat/0.png", "z.png", "unlabelled/u.png")
    }
    for name, value in pixels.items():
        save(tmp_path / name, value)
    save(tmp_path / ".hidden" / "a.png", gray())
    save(tmp_path / ".b.png", gray())
    (tmp_path / "notes.txt").write_text("no image")
    data = load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert data.row_names == ("cat/0.png", "cat/x/1.png", "dog/b.png", "unlabelled/u.png", "z.png")
    assert data.y.tolist() == [0, 0, 1, -1, -1]
    for name, row in zip(data.row_names, data.X, strict=True):
        np.testing.assert_array_equal(row, pixels[name])
    assert data.notes == ("1 files are not images and were left out",)


def test_one_sub_folder_is_no_label(tmp_path):
    save(tmp_path / "images" / "a.png", gray())
    data = load(tmp_path)
    assert data.y is None
    assert "one sub-folder is no label" in data.notes[0]


@pytest.mark.parametrize("test", ["test", "val"])
def test_train_and_test_folders_are_parts(tmp_path, test):
    for name in ("train/a/1.png", "train/b/1.png", f"{test}/b/2.png", "unlabeled/3.png"):
        save(tmp_path / name, gray())
    data = load(tmp_path)
    assert data.classes == ("a", "b")
    assert data.row_names == ("train/a/1.png", "train/b/1.png", "unlabeled/3.png")
    assert (data.y.tolist(), data.y_test.tolist()) == ([0, 1, -1], [1])
    assert data.X_test.shape == (1, 6, 5)


def test_a_class_may_be_called_test(tmp_path):
    for name in ("train/1.png", "test/1.png", "car/1.png"):
        save(tmp_path / name, gray())
    assert load(tmp_path).classes == ("car", "test", "train")


def test_gray_and_colour_together_are_colour(tmp_path):
    value = gray()
    save(tmp_path / "a.png", value)
    save(tmp_path / "b.png", gray(6, 5, 3))
    data = load(tmp_path)
    assert data.X.shape == (2, 3, 6, 5)
    for channel in data.X[0]:
        np.testing.assert_array_equal(channel, value)


def _red_with_alpha(alpha):
    return Image.fromarray(np.full((2, 2, 4), [200, 0, 0, alpha], dtype=np.uint8))


@pytest.mark.parametrize(("alpha", "expected"), [(255, [200, 0, 0]), (0, [255] * 3)])
def test_transparency_is_laid_on_white(tmp_path, alpha, expected):
    save(tmp_path / "a.png", _red_with_alpha(alpha))
    assert load(tmp_path).X[0, :, 0, 0].tolist() == expected


def test_gray_with_transparency_stays_gray(tmp_path):
    pixels = np.array([[[10, 255], [10, 0]]], dtype=np.uint8)
    save(tmp_path / "a.png", _la(pixels))
    assert load(tmp_path).X.tolist() == [[[10, 255]]]


def _la(pixels):
    bands = [Image.fromarray(np.ascontiguousarray(pixels[..., i])) for i in (0, 1)]
    return Image.merge("LA", bands)


def test_palettes_and_cmyk(tmp_path):
    value = np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8)
    save(tmp_path / "a.png", Image.fromarray(value).quantize(4))
    np.testing.assert_array_equal(load(tmp_path).X[0], value.transpose(2, 0, 1))
    save(tmp_path / "b" / "a.tif", Image.fromarray(value).convert("CMYK"))
    np.testing.assert_array_equal(load(tmp_path / "b").X[0], value.transpose(2, 0, 1))


def test_one_and_sixteen_bits(tmp_path):
    save(tmp_path / "a.png", Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1"))
    save(tmp_path / "b.png", np.array([[0, 65535]], dtype=np.uint16))
    save(tmp_path / "c.png", np.array([[257 * 100 - 100, 257 * 7 + 100]], dtype=np.uint16))
    assert load(tmp_path).X.tolist() == [[[0, 255]], [[0, 255]], [[100, 7]]]
    assert (
        load(tmp_path, encoding={"type": "images", "size": [1, 2], "mode": "RGB"})
        .X[2, :, 0, 0]
        .tolist()
        == [100] * 3
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, suffix, orientation):
    stored = np.zeros((16, 32), dtype=np.uint8)
    stored[:8, :8] = 255  # the top left corner, as stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / f"a{suffix}", np.repeat(stored[..., None], 3, 2), exif=exif)
    # From the EXIF specification: where the 0th row and the 0th column are seen.
    seen = {
        **{1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1]},
        **{5: stored.T, 6: stored[::-1].T, 7: stored[::-1, ::-1].T, 8: stored[:, ::-1].T},
    }[orientation]
    X = load(tmp_path).X[0, 0]
    assert X.shape == seen.shape
    assert np.abs(X.astype(int) - seen).mean() < 3


def test_resizing_is_antialiased(tmp_path):
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (64, 32))
    save(tmp_path / "a.png", stripes)
    X = load(tmp_path, image_size=8).X[0]
    assert X.shape == (8, 8)
    assert np.abs(X.astype(int) - 127).max() <= 12  # taking every eighth pixel gives 0 or 255
    constant = np.full((40, 30), 77, dtype=np.uint8)
    save(tmp_path / "b" / "a.png", constant)
    data = load(tmp_path / "b", image_size=(10, 20))
    assert (data.X == 77).all()
    assert data.shape == (10, 20)
    assert "stretched" in data.notes[0]


def test_large_jpegs_are_decoded_small_and_alike(tmp_path):
    ramp = np.linspace(0, 255, 512)
    smooth = ((ramp[:, None] + ramp[None]) / 2).astype(np.uint8)
    save(tmp_path / "a.jpg", smooth, quality=95)
    X = load(tmp_path, image_size=16).X[0].astype(int)
    expected = smooth.reshape(16, 32, 16, 32).mean((1, 3))
    assert np.abs(X - expected).max() < 6


def test_different_sizes_are_refused_with_the_most_frequent_one(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", gray(7, 9))
    save(tmp_path / "odd.png", gray(4, 4))
    with pytest.raises(DataError) as error:
        load(tmp_path)
    for part in ("0.png is 7x9", "odd.png is 4x4", "image_size=(7, 9)"):
        assert part in str(error.value)
    assert load(tmp_path, image_size=(7, 9)).X.shape == (4, 7, 9)


def test_further_images_are_brought_to_the_trained_form(tmp_path):
    encoding = {"type": "images", "size": [8, 8], "mode": "L"}
    save(tmp_path / "a.png", np.full((20, 10, 3), 90, np.uint8))
    X = load(tmp_path / "a.png", encoding=encoding).X
    assert X.shape == (1, 8, 8)
    assert (X == 90).all()
    with pytest.raises(InputError, match="not the size of the training images"):
        load(tmp_path, encoding=encoding, image_size=9)


def _damaged(folder):
    for i in range(4):
        save(folder / f"{i}.png", gray())
    whole = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "2.png").write_bytes(b"no image at all")
    (folder / "3.png").write_bytes(b"")


def test_damaged_images_are_named(tmp_path):
    _damaged(tmp_path)
    with pytest.raises(DataError, match=r"2\.png: cannot be read.*2 of 4.*skip_bad=True"):
        load(tmp_path)
    data = load(tmp_path, skip_bad=True)
    assert data.row_names == ("0.png",)
    assert data.X.shape == (1, 6, 5)
    assert "3 images cannot be read and were skipped: 1.png, 2.png, 3.png" in data.notes
    (tmp_path / "0.png").unlink()
    with pytest.raises(DataError, match=r"not one of|no readable image"):
        load(tmp_path, skip_bad=True)


def test_a_folder_without_images(tmp_path):
    with pytest.raises(DataError, match=r"holds no image \(0 other files\)"):
        load(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"holds no image \(1 other"):
        load(tmp_path)


def test_floats_are_refused_with_a_way_out(tmp_path):
    save(tmp_path / "a.tif", np.ones((3, 3), dtype=np.float32))
    with pytest.raises(DataError, match=r"a\.tif: cannot be read: its pixels are floats.*npy"):
        load(tmp_path)


def test_more_pixels_than_memory_is_said_first(tmp_path):
    for i in range(1000):
        save(tmp_path / f"{i}.bmp", gray(1, 1))
    with pytest.raises(DataError, match=r"GiB of memory.*smaller image_size"):
        load(tmp_path, image_size=65535)


def test_links_to_folders_are_followed_once(tmp_path):
    save(tmp_path / "real" / "cat" / "a.png", gray())
    save(tmp_path / "data" / "dog" / "a.png", gray())
    (tmp_path / "data" / "cat").symlink_to(tmp_path / "real" / "cat")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    assert load(tmp_path / "data").row_names == ("cat/a.png", "dog/a.png")


def test_a_jpeg_with_another_suffix(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(gray()).save(buffer, "JPEG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    assert load(tmp_path / "a.png").X.shape == (1, 6, 5)
