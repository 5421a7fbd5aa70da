"""Laws of the augmentation, and SciPy and torch as oracles for what a matrix does to an image."""

import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.interpolate import BSpline
from torch import Tensor

from cuello.data.augment import Augment
from cuello.data.image_changes import elastic_field, inverse_affine, sample_images, spline_basis
from cuello.errors import InputError
from cuello.options import read_options

EVERYTHING = Augment(shift=0.2, rotate=30, scale=0.3, shear=15, elastic=1.5, cutout=0.3, flip=True)
ONE_EACH = [
    Augment(shift=0.2),
    Augment(rotate=30),
    Augment(scale=0.3),
    Augment(shear=20),
    Augment(elastic=1.5),
    Augment(cutout=0.4),
    Augment(brightness=0.5),
    Augment(flip=True),
]
IMAGES = st.one_of(
    st.tuples(st.integers(0, 4), st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.integers(0, 4), st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
)
DTYPES = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def affine(
    *,
    right: float = 0.0,
    down: float = 0.0,
    degrees: float = 0.0,
    factor: float = 1.0,
    slant: float = 0.0,
) -> Tensor:
    def one(value: float) -> Tensor:
        return torch.tensor([value], dtype=torch.float64)

    return inverse_affine(
        right=one(right),
        down=one(down),
        angle=one(math.radians(degrees)),
        factor=one(factor),
        slant=one(math.radians(slant)),
    )


def smooth(height: int, width: int) -> Tensor:
    rows, columns = np.mgrid[:height, :width]
    image = np.sin(rows / 3) * np.cos(columns / 4) + rows / height + 0.5 * columns / width
    return torch.from_numpy(image)[None, None]


@settings(deadline=None, max_examples=60)
@given(
    shape=IMAGES,
    dtype=DTYPES,
    seed=st.integers(0, 2**32),
    padding=st.sampled_from(["border", "zeros"]),
)
def test_shape_dtype_and_range_are_kept_and_the_input_is_not_changed(shape, dtype, seed, padding):
    x = (torch.rand(shape, generator=seeded(seed)) * 5 - 2).to(dtype)
    before = x.clone()
    augment = Augment.parse(f"{EVERYTHING},padding={padding}")
    y = augment(x, seeded(seed))
    assert y.shape == x.shape
    assert y.dtype == dtype
    assert torch.equal(x, before)
    if len(x):
        low, high = x.amin((-2, -1), True), x.amax((-2, -1), True)
        if padding == "zeros":
            low, high = low.clamp(max=0), high.clamp(min=0)
        assert bool(((y >= low) & (y <= high)).all())


@settings(deadline=None)
@given(shape=IMAGES, dtype=DTYPES)
def test_nothing_set_returns_the_very_tensor(shape, dtype):
    x = torch.zeros(shape, dtype=dtype)
    assert Augment()(x) is x


@pytest.mark.parametrize("augment", ONE_EACH, ids=str)
def test_every_image_draws_its_own_change_and_a_seed_decides_it(augment):
    x = smooth(12, 10).float().expand(8, 1, 12, 10)
    y = augment(x, seeded(3))
    assert torch.equal(y, augment(x, seeded(3)))
    assert not torch.equal(y, augment(x, seeded(4)))
    assert len(y.flatten(1).unique(dim=0)) == (2 if augment.flip else 8)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first, second = augment(x), augment(x)
        torch.manual_seed(3)
        assert torch.equal(augment(x), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("augment", ONE_EACH, ids=str)
def test_an_image_does_not_depend_on_the_others_of_its_batch(augment):
    x = torch.rand(6, 2, 9, 7, generator=seeded())
    other = x.clone()
    other[3] = -x[3]
    y, changed = augment(x, seeded(1)), augment(other, seeded(1))
    rest = [0, 1, 2, 4, 5]
    assert torch.equal(y[rest], changed[rest])
    if not augment.brightness:  # which knows dark from bright
        assert torch.allclose(changed[3], -y[3], atol=1e-6), "channels and values are treated alike"


@pytest.mark.parametrize("size", [5, 8])
@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("padding", ["border", "zeros"])
def test_a_quarter_turn_is_rot90(size, quarters, padding):
    x = torch.rand(1, 2, size, size, generator=seeded(), dtype=torch.float64)
    y = sample_images(x, affine(degrees=90.0 * quarters), padding=padding)
    torch.testing.assert_close(y, x.rot90(quarters, (-2, -1)), atol=1e-10, rtol=0)


@given(right=st.integers(-5, 5), down=st.integers(-5, 5))
@settings(deadline=None)
def test_a_shift_by_whole_pixels_is_roll_and_the_padding_fills_the_rest(right, down):
    x = torch.rand(1, 1, 8, 11, generator=seeded(), dtype=torch.float64) + 1
    rows, columns = torch.arange(8) - down, torch.arange(11) - right
    inside = ((rows >= 0) & (rows < 8))[:, None] & ((columns >= 0) & (columns < 11))
    rolled = x.roll((down, right), (-2, -1))
    shift = affine(right=float(right), down=float(down))
    torch.testing.assert_close(sample_images(x, shift, padding="zeros"), rolled * inside)
    nearest = x[:, :, rows.clamp(0, 7)][:, :, :, columns.clamp(0, 10)]
    torch.testing.assert_close(sample_images(x, shift, padding="border"), nearest)


@settings(deadline=None, max_examples=60)
@given(
    right=st.floats(-4, 4),
    down=st.floats(-4, 4),
    degrees=st.floats(-180, 180),
    factor=st.floats(0.5, 2),
    slant=st.floats(-40, 40),
    padding=st.sampled_from(["border", "zeros"]),
)
def test_the_matrix_does_what_scipy_does(right, down, degrees, factor, slant, padding):
    """The forward matrix, built the plain way in NumPy and inverted there, on a 14x23 image."""
    x = smooth(14, 23)
    turn = math.radians(degrees)
    # x to the right and y down: anticlockwise on the page has the minus sign below.
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    # A positive slant leans strokes to the right at the top, where y is negative.
    shear = np.array([[1.0, -math.tan(math.radians(slant))], [0.0, 1.0]])
    forward = factor * rotation @ shear
    swap = np.array([[0, 1], [1, 0]])  # SciPy counts (row, column)
    inverse = swap @ np.linalg.inv(forward) @ swap
    centre = (np.array(x.shape[-2:]) - 1) / 2
    expected = ndimage.affine_transform(
        x[0, 0].numpy(),
        inverse,
        offset=centre - inverse @ (centre + np.array([down, right])),
        order=1,
        mode={"border": "nearest", "zeros": "grid-constant"}[padding],
    )
    matrix = affine(right=right, down=down, degrees=degrees, factor=factor, slant=slant)
    y = sample_images(x, matrix, padding=padding)
    np.testing.assert_allclose(y[0, 0].numpy(), expected, atol=1e-9)


def test_a_turn_keeps_lengths_in_pixels_where_height_and_width_differ():
    x = torch.zeros(1, 1, 15, 41)
    x[0, 0, 7, 16:25] = 1  # a bar of 9 pixels, lying
    y = sample_images(x, affine(degrees=90).float(), padding="zeros")
    expected = torch.zeros(1, 1, 15, 41)
    expected[0, 0, 3:12, 20] = 1  # standing, still 9 pixels
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("padding", ["border", "zeros"])
def test_white_paper_stays_white_only_with_the_border(padding):
    white = torch.ones(4, 10, 10)
    y = Augment(rotate=40, shift=0.3, padding=padding)(white, seeded())
    assert torch.equal(y, white) == (padding == "border")


def test_a_draw_stays_within_the_amounts_and_reaches_them():
    n = 4000
    ramp = torch.arange(41, dtype=torch.float64).expand(n, 1, 21, 41)  # value = column
    moved = 20 - Augment(shift=0.1)(ramp, seeded())[:, 0, 10, 20]
    assert moved.abs().max() <= 4.1
    assert moved.abs().max() > 4.0
    assert abs(moved.mean()) < 5 * (4.1 / math.sqrt(3)) / math.sqrt(n)
    column = torch.arange(21, dtype=torch.float64)[:, None].expand(n, 1, 21, 41)  # value = row
    lowered = (10 - Augment(shift=0.1)(column, seeded())[:, 0, 10, 20]).abs().max()
    assert 2.05 < lowered <= 2.1
    # The pixel 10 off the middle shows what was 10 / factor off it.
    grown = 10 / (Augment(scale=0.25)(ramp, seeded()) - 20)[:, 0, 10, 30]
    assert 1 / 1.25 <= grown.min() < 0.81
    assert 1.24 < grown.max() <= 1.25
    assert abs(grown.log().mean()) < 5 * (math.log(1.25) / math.sqrt(3)) / math.sqrt(n)
    turned = (Augment(rotate=10)(ramp, seeded()) - 20)[:, 0, 10, 30] / 10  # = cos
    assert math.cos(math.radians(10)) <= turned.min() + 1e-12
    assert turned.min() < math.cos(math.radians(9.9))
    leaned = (Augment(shear=10)(ramp, seeded()) - 20)[:, 0, 5, 20] / 5  # = tan
    assert math.tan(math.radians(9.9)) < leaned.abs().max() <= math.tan(math.radians(10)) + 1e-12


@settings(deadline=None, max_examples=30)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    amplitude=st.floats(0, 10),
    seed=st.integers(0, 1000),
)
def test_the_elastic_field_stays_within_its_amplitude(size, amplitude, seed):
    like = torch.zeros(5, 1, *size, dtype=torch.float64)
    field = elastic_field(like, amplitude, seeded(seed))
    assert field.shape == (5, 2, *size)
    assert field.abs().max() <= amplitude * (1 + 1e-12)
    if not amplitude:
        x = torch.rand(5, 1, *size, dtype=torch.float64, generator=seeded(seed))
        torch.testing.assert_close(
            sample_images(x, affine().expand(5, 2, 3), field, padding="border"), x
        )


def test_the_elastic_field_is_smooth_moves_by_a_quarter_and_does_not_fold():
    field = elastic_field(torch.zeros(1000, 1, 28, 28), 1.0, seeded())
    assert abs(field.std().item() - 0.277) < 0.01  # 1/sqrt(3) x (0.48: the spline's mean square)
    assert abs(field.mean().item()) < 0.01
    assert field.diff(dim=-1).abs().max() < 0.25
    across, down = 0.12 * 28 * field.diff(dim=-1)[..., :-1, :], 0.12 * 28 * field.diff(dim=-2)
    down = down[..., :-1]
    area = (1 + across[:, 0]) * (1 + down[:, 1]) - across[:, 1] * down[:, 0]
    assert area.min() > 0


@settings(deadline=None)
@given(size=st.integers(1, 60), span=st.floats(1, 20))
def test_the_spline_is_scipys_and_sums_to_one(size, span):
    basis = spline_basis(size, span, torch.zeros((), dtype=torch.float64))
    torch.testing.assert_close(basis.sum(1), torch.ones(size, dtype=torch.float64))
    at = np.arange(size) / span
    spline = BSpline.design_matrix(at, np.arange(-3, basis.shape[1] + 1.0), 3).toarray()
    np.testing.assert_allclose(basis.numpy(), spline, atol=1e-12)


def test_the_field_is_added_in_pixels_of_the_picture():
    x = torch.rand(1, 1, 6, 9, generator=seeded(), dtype=torch.float64)
    field = torch.zeros(1, 2, 6, 9, dtype=torch.float64)
    field[:, 0] = 1.0  # read one pixel further right
    y = sample_images(x, affine(), field, padding="border")
    torch.testing.assert_close(y[..., :-1], x[..., 1:])


@settings(deadline=None, max_examples=40)
@given(
    size=st.tuples(st.integers(2, 20), st.integers(2, 20)),
    fraction=st.floats(0.05, 1),
    seed=st.integers(0, 1000),
)
def test_cutout_covers_one_square_that_only_the_edge_may_cut(size, fraction, seed):
    height, width = size
    side = max(round(fraction * min(size)), 1)
    x = torch.rand(4, 2, *size, dtype=torch.float64, generator=seeded(seed)) + 1
    y = Augment(cutout=fraction)(x, seeded(seed))
    for before, after in zip(x, y, strict=True):
        changed = after != before
        assert torch.equal(changed[0], changed[1]), "the same square in every channel"
        rows, columns = changed[0].any(1).nonzero().flatten(), changed[0].any(0).nonzero().flatten()
        top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
        assert bool(changed[0][top : bottom + 1, left : right + 1].all()), "a full rectangle"
        for start, stop, end in ((top, bottom, height), (left, right, width)):
            extent = stop - start + 1
            cut_off = start == 0 or stop == end - 1
            assert extent == side or (cut_off and 1 <= extent < side)
            assert extent >= min(side // 2, end), "the centre lies inside"
        mean = before.mean((1, 2), keepdim=True).expand_as(before)
        torch.testing.assert_close(after[changed], mean[changed])


def test_the_centre_of_a_cutout_is_uniform_over_the_pixels():
    n = 20_000
    x = torch.rand(1, 8, 10, generator=seeded()).expand(n, 8, 10)
    share = (Augment(cutout=3 / 8)(x, seeded()) != x).double().mean(0)
    # Three centres a side cover a pixel, two at the edge.
    rows, columns = torch.full((8,), 3 / 8), torch.full((10,), 3 / 10)
    rows[[0, -1]], columns[[0, -1]] = 2 / 8, 2 / 10
    expected = rows[:, None] * columns
    assert ((share - expected).abs() < 5 * (expected * (1 - expected) / n).sqrt()).all()


@settings(deadline=None, max_examples=40)
@given(largest=st.floats(0.01, 9), seed=st.integers(0, 1000))
def test_brightness_stretches_each_image_from_the_darkest_pixel_of_each_channel(largest, seed):
    x = torch.rand(6, 3, 4, 5, dtype=torch.float64, generator=seeded(seed))
    y = Augment(brightness=largest)(x, seeded(seed))
    darkest = x.amin((-2, -1), keepdim=True)
    above = x > darkest
    torch.testing.assert_close(y[~above], x[~above])
    factor = torch.where(above, (y - darkest) / (x - darkest), y.new_tensor(torch.nan)).flatten(1)
    factor = torch.where(factor.isnan(), factor.nanmedian(1, keepdim=True).values, factor)
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor), rtol=1e-6, atol=1e-6)
    assert ((factor > 1 / (1.0001 + largest)) & (factor < 1.0001 + largest)).all()


def test_images_are_as_often_brighter_as_darker():
    n = 10_000
    x = torch.tensor([[0.0, 1.0]], dtype=torch.float64).expand(n, 1, 2)
    spread = (Augment(brightness=1.0)(x, seeded()) @ torch.tensor([-1.0, 1.0]).double()).flatten()
    powers = spread.log2().sort().values
    torch.testing.assert_close(powers, torch.linspace(-1, 1, n).double(), atol=0.05, rtol=0)


def test_flip_mirrors_every_second_image_by_chance():
    n = 10_000
    x = torch.rand(1, 3, 4, generator=seeded()).expand(n, 3, 4)
    y = Augment(flip=True)(x, seeded())
    mirrored = (y == x.flip(-1)).all((1, 2))
    assert bool((mirrored | (y == x).all((1, 2))).all())
    assert abs(mirrored.float().mean().item() - 0.5) < 5 * 0.5 / math.sqrt(n)


def test_the_channel_axis_may_be_left_out():
    x = torch.rand(5, 9, 7, generator=seeded())
    assert torch.equal(EVERYTHING(x, seeded()), EVERYTHING(x[:, None], seeded())[:, 0])


def test_it_runs_on_other_devices_under_autocast_and_inside_a_compiled_graph():
    # The meta device holds no values: a tensor left on the CPU or an .item() would raise.
    assert EVERYTHING(torch.empty(4, 3, 8, 6, device="meta")).device.type == "meta"
    x = torch.rand(4, 1, 28, 28, generator=seeded())

    def drawn(function) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return function(x)

    plain = drawn(EVERYTHING)
    compiled = torch.compile(lambda t: EVERYTHING(t), fullgraph=True, backend="eager")
    torch.testing.assert_close(drawn(compiled), plain)
    with torch.autocast("cpu", torch.bfloat16):
        assert drawn(EVERYTHING).dtype == torch.float32
        # A displacement of 1.5 pixels rounded to 8 bits: 0.006 pixels at most.
        assert (drawn(EVERYTHING) - plain).abs().max() < 0.0062
        rigid = Augment(shift=0.2, rotate=30)
        assert torch.equal(drawn(rigid), drawn(torch.autocast("cpu", enabled=False)(rigid)))


@pytest.mark.parametrize(
    ("text", "augment"),
    [
        ("shift=0.1,rotate=10", Augment(shift=0.1, rotate=10)),
        ("shift,rotate", Augment(shift=0.08, rotate=8)),
        (" shift = 0.1 , flip ", Augment(shift=0.1, flip=True)),
        ("mild", Augment.mild()),
        ("shift=0.3,mild,flip=false", Augment(shift=0.3, rotate=8, scale=0.1, shear=5)),
        ("elastic,cutout,padding=zeros", Augment(elastic=1, cutout=0.25, padding="zeros")),
        ("none", Augment()),
    ],
)
def test_text_is_read(text, augment):
    assert Augment.parse(text) == augment


@settings(deadline=None)
@given(
    st.builds(
        Augment,
        shift=st.floats(0, 1),
        rotate=st.floats(0, 180),
        elastic=st.floats(0, 1e300),
        cutout=st.integers(0, 1),
        flip=st.booleans(),
        padding=st.sampled_from(["border", "zeros"]),
    )
)
def test_text_and_back(augment):
    assert Augment.parse(str(augment)) == augment


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "rotat=1",
            r"augmentation='rotat' is not known; did you mean 'rotate'\? Allowed: brightness",
        ),
        ("", r"augmentation='' is not known. Allowed: brightness"),
        ("mild=2", r"augmentation='mild' is not known"),
        ("shift=a lot", r"shift='a lot' must be a number, 0 or more and at most 1 \(f"),
        ("shift=", r"shift='' must be a number"),
        ("shift,shift=0.1", r"contradicts itself at 'shift=0\.1'; give each name once"),
        ("none,shift", r"contradicts itself at 'shift'"),
        ("shift,none", r"contradicts itself at 'none'"),
        ("flip=maybe", r"flip='maybe' must be True or False"),
        ("padding", r"padding needs a value: padding=border or padding=zeros"),
        ("padding=reflect", r"padding='reflect' is not known.* Allowed: border, zeros"),
        (
            "shift=1.5",
            r"shift=1\.5 must be a number, 0 or more and at most 1 \(fraction.*use shift=0\.08, or",
        ),
        ("rotate=-1", r"rotate=-1\.0 must be a number, 0 or more and at most 180 \(degrees\)"),
        ("elastic=inf", r"elastic=inf must be a number, 0 or more \(pixels\)"),
        ("scale=nan", r"scale=nan must be a number, 0 or more and at most 9"),
    ],
)
def test_bad_text_is_refused_with_the_way_out(text, message):
    with pytest.raises(InputError, match=message):
        Augment.parse(text)


@pytest.mark.parametrize("value", ["0.1", None, True, -0.1, math.nan])
def test_bad_amounts_are_refused(value):
    with pytest.raises(InputError, match=r"shift=.* must be a number, 0 or more"):
        Augment(shift=value)


def test_what_is_not_an_image_is_refused():
    with pytest.raises(InputError, match=r"shape \(5, 4\), augmentation needs images"):
        Augment.mild()(torch.zeros(5, 4))
    with pytest.raises(InputError, match=r"dtype torch\.uint8.*use x\.float\(\) / 255"):
        Augment()(torch.zeros(5, 4, 4, dtype=torch.uint8))


def test_every_augmentation_describes_itself():
    options = read_options(Augment)
    for change in fields(Augment):
        assert options[change.name].help
        assert ("range" in change.metadata) == ("unit" in change.metadata)
