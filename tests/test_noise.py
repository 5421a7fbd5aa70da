"""Laws of the noises: what they leave, what they change, and how often, against closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cuello.data.noise import NOISES, Noise, register_noise
from cuello.errors import InputError
from cuello.options import Range

NAMES = sorted(NOISES)
PROBABILITIES = ["masking", "salt_and_pepper", "flip"]
SHAPES = st.lists(st.integers(0, 6), min_size=1, max_size=4).map(tuple)
DTYPES = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])
# No statistic may be further off than this many standard errors. The seeds are fixed, so a test
# that passes always passes; five would be exceeded by chance in one case of two million.
SIGMAS = 5.0


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_near(value: float, expected: float, standard_error: float) -> None:
    assert abs(value - expected) <= SIGMAS * standard_error, (value, expected, standard_error)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=40)
@given(shape=SHAPES, dtype=DTYPES, level=st.floats(0, 0.95), seed=st.integers(0, 2**32))
def test_shape_and_dtype_are_kept_and_the_input_is_not_changed(name, shape, dtype, level, seed):
    x = torch.rand(shape, generator=seeded(seed)).to(dtype)
    before = x.clone()
    y = Noise(name, level)(x, seeded(seed))
    assert y.shape == x.shape
    assert y.dtype == dtype
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=20)
@given(shape=SHAPES, dtype=DTYPES)
def test_level_zero_is_the_identity(name, shape, dtype):
    x = torch.randn(shape, generator=seeded()).to(dtype)
    assert Noise(name, 0.0)(x) is x
    assert torch.equal(NOISES[name].draw(x, 0.0, -1.0, 2.0, None), x)  # the functions alone, too


@pytest.mark.parametrize("name", sorted({*NAMES} - {"none"}))
def test_a_seed_decides_everything(name):
    x = torch.linspace(0, 1, 600).reshape(20, 30)
    noise = Noise(name, 0.4)
    assert torch.equal(noise(x, seeded(3)), noise(x, seeded(3)))
    assert not torch.equal(noise(x, seeded(3)), noise(x, seeded(4)))
    rows = noise(x.new_full((20, 30), 0.7), seeded(3))
    assert len(rows.unique(dim=0)) == 20, "every row draws its own noise"
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first, second = noise(x), noise(x)
        torch.manual_seed(3)
        again = noise(x)
    assert torch.equal(first, again), "without a generator, torch's global one decides"
    assert not torch.equal(first, second)


@settings(deadline=None, max_examples=15, derandomize=True)
@given(level=st.floats(0.01, 3), seed=st.integers(0, 1000))
def test_gaussian_has_the_given_mean_and_standard_deviation(level, seed):
    n = 40_000
    x = torch.full((n // 8, 8), 0.25, dtype=torch.float64)
    y = Noise("gaussian", level)(x, seeded(seed))
    assert_near(y.mean().item(), 0.25, level / math.sqrt(n))
    assert_near(y.var().item(), level**2, level**2 * math.sqrt(2 / n))
    assert 0.25 - 6 * level < y.min() < 0.25 - 3 * level, "not clipped"


@settings(deadline=None, max_examples=15, derandomize=True)
@given(level=st.floats(0.05, 0.9), value=st.floats(-2, 2, width=16), seed=st.integers(0, 1000))
def test_masking_keeps_the_expectation(level, value, seed):
    n = 40_000
    x = torch.full((n // 8, 8), value, dtype=torch.float64)
    y = Noise("masking", level)(x, seeded(seed))
    variance = value**2 * level / (1 - level)
    assert_near(y.mean().item(), value, math.sqrt(variance / n))
    kept = Noise("masking", level, options={"rescale": False})(x, seeded(seed))
    assert set(kept.unique().tolist()) <= {0.0, value}
    assert_near(kept.mean().item(), value * (1 - level), abs(value) * spread(level, n))
    assert torch.allclose(kept / (1 - level), y)


def spread(p: float, n: int) -> float:
    """Standard error of a share of ``n`` independent draws."""
    return math.sqrt(p * (1 - p) / n)


@pytest.mark.parametrize("name", PROBABILITIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("level", [0.001, 0.1, 0.5, 0.9])
def test_the_share_of_touched_elements_is_the_level(name, dtype, level):
    # 0.001 in bfloat16: a uniform drawn in that dtype would touch 1/256 of the elements.
    n = 200_000
    x = torch.full((n // 20, 20), 0.25, dtype=dtype)
    y = Noise(name, level)(x, seeded(1))
    untouched = x / (1 - level) if name == "masking" else x
    assert_near((y != untouched).double().mean().item(), level, spread(level, n))


@pytest.mark.parametrize("level", [0.2, 1.0])
def test_salt_and_pepper_sets_the_two_ends_equally_often(level):
    n = 100_000
    x = torch.zeros(n // 10, 10)
    y = Noise("salt_and_pepper", level, low=-3.0, high=5.0)(x, seeded(2))
    for end in (-3.0, 5.0):
        assert_near((y == end).double().mean().item(), level / 2, spread(level / 2, n))
    assert set(y.unique().tolist()) <= {-3.0, 0.0, 5.0}


@pytest.mark.parametrize("level", [0.3, 1.0])
def test_mixed_draws_a_kind_and_a_strength_for_each_row(level):
    rows, wide = 6000, 200
    x = torch.full((rows, wide), 0.5, dtype=torch.float64)
    y = Noise("mixed", level, low=-1.0, high=2.0)(x, seeded(4))
    masked = ((y == 0.5) | (y == 0.0)).all(1)
    replaced = ((y == 0.5) | (y == -1.0) | (y == 2.0)).all(1) & ~masked
    added = ~masked & ~replaced
    for kind in (masked, replaced, added):
        # A row whose strength is nearly 0 is whole, so cannot be told from a masked one.
        assert_near(kind.double().mean().item(), 1 / 3, spread(1 / 3, rows) + 0.003)
    shares = {"masked": (y[masked] == 0.0), "replaced": (y[replaced] != 0.5)}
    strengths = [share.double().mean(1) for share in shares.values()] + [(y[added] - 0.5).std(1)]
    for strength in strengths:  # uniform in 0..level
        assert_near(strength.mean().item(), level / 2, 0.3 * level / math.sqrt(rows / 3))
        assert strength.max() > 0.9 * level


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0)])
def test_flip_mirrors_binary_data_and_twice_is_the_identity(low, high):
    x = torch.where(torch.rand(50, 35, generator=seeded()) < 0.5, low, high)
    noise = Noise("flip", 0.3, low=low, high=high)
    y = noise(x, seeded(5))
    assert set(y.unique().tolist()) == {low, high}
    assert not torch.equal(y, x)
    assert torch.equal(noise(y, seeded(5)), x)  # the same mask again
    assert torch.equal(Noise("flip", 1.0, low=low, high=high)(x), low + high - x)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_other_devices_and_inside_a_compiled_graph(name):
    noise = Noise(name, 0.3)
    # The meta device holds no values: a tensor left on the CPU or an .item() would raise.
    assert noise(torch.empty(4, 3, device="meta")).device.type == "meta"
    x = torch.rand(4, 3, generator=seeded())

    def drawn(function) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return function(x)

    compiled = torch.compile(lambda t: noise(t), fullgraph=True, backend="eager")
    assert torch.equal(drawn(compiled), drawn(noise))
    with torch.autocast("cpu", torch.bfloat16):
        half = drawn(noise)
    assert torch.equal(half, drawn(noise))


def test_options_come_from_the_signature():
    assert list(NOISES["masking"].options) == ["rescale"]
    assert NOISES["masking"].options["rescale"].help.startswith("Divide what survives")
    assert not any(NOISES[name].options for name in NAMES if name != "masking")
    noise = Noise("masking", 0.5, options={"rescale": False})
    assert set(noise(torch.ones(9, 9), seeded()).unique().tolist()) == {0.0, 1.0}
    assert hash(noise) == hash(Noise("masking", 0.5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "gausian"}, r"noise='gausian' is not known; did you mean 'gaussian' or"),
        ({"name": "gaussian", "level": -1}, r"level=-1 must be 0 or more for noise"),
        ({"name": "gaussian", "level": math.nan}, r"level=nan must be 0 or more"),
        ({"name": "gaussian", "level": math.inf}, r"level=inf must be 0 or more"),
        ({"name": "flip", "level": "0.3"}, r"level='0\.3' must be 0 or more and at most 1"),
        (
            {"name": "flip", "level": 1.01},
            r"level=1\.01 must be 0 or more and at most 1 .*use level=0\.3",
        ),
        ({"name": "flip", "level": math.nan}, r"level=nan must be 0 or more and at most 1"),
        ({"name": "masking", "level": 1.0}, r"level=1\.0 must be 0 or more and below 1"),
        ({"name": "flip", "low": 1.0, "high": 1.0}, r"low=1\.0 must be below high=1\.0; give the"),
        ({"name": "flip", "low": math.nan}, r"low=nan must be a finite number; give the smallest"),
        ({"name": "flip", "high": math.inf}, r"high=inf must be a finite number"),
        (
            {"name": "masking", "options": {"rescal": 1}},
            r"options='rescal' is not an option of noise='masking'. Allowed: rescale",
        ),
        (
            {"name": "flip", "options": {"rescale": True}},
            r"options='rescale' is not an option of noise='flip'. Allowed: none",
        ),
    ],
)
def test_what_is_not_allowed_is_refused_with_the_way_out(arguments, message):
    with pytest.raises(InputError, match=message):
        Noise(**arguments)


def test_integers_are_refused():
    with pytest.raises(InputError, match=r"dtype torch\.uint8.*use x\.float\(\)"):
        Noise("gaussian", 0.1)(torch.zeros(2, 3, dtype=torch.uint8))
    with pytest.raises(InputError, match="noise='salt' is not known"):
        Noise("salt")


@pytest.mark.parametrize("shape", [(4000,), (4000, 6), (4000, 2, 3, 3)])
def test_share_is_the_part_of_rows_that_is_touched(shape):
    x = torch.ones(shape)
    noisy = Noise("gaussian", 1.0, share=0.3)(x, torch.Generator().manual_seed(0))
    touched = (noisy != x).reshape(len(x), -1)
    assert torch.equal(touched.any(1), touched.all(1))  # a row is touched whole or not at all
    assert touched.any(1).float().mean().item() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_wrong_share_is_refused(share):
    with pytest.raises(InputError, match="share of samples"):
        Noise("flip", 0.1, share=share)


@pytest.mark.parametrize("name", NAMES)
def test_every_noise_describes_itself(name):
    assert NOISES[name].meaning
    assert 0.0 in NOISES[name].level


def test_a_toy_noise_registers_itself():
    @register_noise(Range(0.0), "the amount that is added")
    def plus(x, level, low, high, generator, *, times: int = 1):
        """Add the level to all elements."""
        return x + times * level

    try:
        assert Noise("plus", 0.5, options={"times": 2})(torch.zeros(1, 2)).tolist() == [[1.0, 1.0]]
        assert NOISES["plus"].meaning == "the amount that is added"
    finally:
        NOISES.remove("plus")
