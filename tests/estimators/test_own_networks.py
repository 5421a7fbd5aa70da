"""Your own encoder and decoder: shapes found out and checked, kept by an importable name."""

from __future__ import annotations

import functools
import json
import traceback

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from cuello import Autoencoder, FewLabelClassifier, InputError, RunError, kinds, networks
from cuello.run.folder import RunFolder
from cuello.run.models import Models, load_models, save_models

X = np.random.default_rng(0).random((60, 6, 5), dtype=np.float32)


def make_encoder():
    return nn.Sequential(nn.Flatten(), nn.Linear(30, 8), nn.Tanh(), nn.Linear(8, 3))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 30)

    def forward(self, z):
        return self.layer(z).unflatten(1, (6, 5))


ENCODER = make_encoder()

HERE = __name__


def own(encoder=make_encoder, decoder=Decoder, kind="plain", **options):
    defaults = {"epochs": 3, "batch_size": 20}
    return Autoencoder(kind, encoder=encoder, decoder=decoder, **(defaults | options))


def weights(model):
    return model.module_.state_dict()


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("kind", ["plain", "denoising"])
def test_they_are_trained_and_say_how_long_the_embedding_is(kind):
    model = own(kind=kind, epochs=30, learning_rate=0.01, latent_dim=17).fit(X)
    assert model.latent_dim_ == 3
    assert model.transform(X).shape == (60, 3)
    assert model.reconstruct(X).shape == X.shape
    assert model.inverse_transform(model.transform(X)).shape == X.shape
    assert list(model.get_feature_names_out()) == [f"autoencoder{i}" for i in range(3)]
    assert model.history_[-1].loss < model.history_[0].loss
    assert type(model.module_.decoder) is Decoder


def test_module_function_class_and_name_are_the_same():
    by_call = own().fit(X)
    by_name = own(f"{HERE}:make_encoder", f"{HERE}:Decoder").fit(X)
    assert equal(weights(by_call), weights(by_name))
    assert own(f"{HERE}:ENCODER").fit(X).latent_dim_ == 3


@pytest.mark.parametrize("by_name", [False, True])
def test_an_instance_is_copied_with_its_weights(by_name):
    """A pretrained network must not be wiped."""
    encoder = f"{HERE}:ENCODER" if by_name else ENCODER
    decoder = Decoder()
    before = {name: weight.clone() for name, weight in ENCODER.state_dict().items()}
    for seed in (0, 1):
        module = own(encoder, decoder, random_state=seed).initialize(X).module_
        assert equal(module.encoder.state_dict(), before)
        assert equal(module.decoder.state_dict(), decoder.state_dict())
    trained = own(encoder, decoder).fit(X).module_
    assert not equal(trained.encoder.state_dict(), before)
    assert equal(ENCODER.state_dict(), before)


def test_a_class_or_function_makes_new_weights_and_the_seed_decides_them():
    first, again, other = (own(random_state=seed).initialize(X) for seed in (0, 0, 1))
    assert equal(weights(first), weights(again))
    assert not equal(weights(first), weights(other))


def test_a_clone_is_trained_alike():
    model = own(make_encoder(), Decoder())
    assert equal(weights(clone(model).fit(X)), weights(model.fit(X)))


class Silent(nn.Module):
    def forward(self, x):
        raise KeyError


class Pair(nn.Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("encoder", "decoder", "text"),
    [
        (
            make_encoder,
            None,
            "decoder=None is missing; give encoder and decoder together, or neither.",
        ),
        (None, Decoder, "encoder=None is missing; give encoder and decoder together, or neither."),
        (lambda: nn.Linear(7, 3), Decoder, "encoder cannot take samples of shape (2, 6, 5): mat1"),
        (lambda: nn.Linear(5, 3), Decoder, "must give (2, latent dimension): end it with"),
        (Silent, Decoder, "encoder cannot take samples of shape (2, 6, 5): KeyError"),
        (Pair, Decoder, "encoder gives tuple; it must give a tensor."),
        (
            make_encoder,
            lambda: nn.Linear(4, 30),
            "decoder cannot take embeddings of shape (2, 3): mat1",
        ),
        (make_encoder, lambda: nn.Linear(3, 30), "torch.nn.Unflatten(1, (6, 5))."),
        (make_encoder, nn.Linear, "cannot be called without arguments"),
        (make_encoder, 5, "decoder=5 is no torch.nn.Module"),
        (lambda: 5, Decoder, "is no torch.nn.Module, and no function or class that makes one"),
        ("no.such:thing", Decoder, "encoder='no.such:thing' cannot be imported (No module named"),
        (f"{HERE}:nothing", Decoder, "has no attribute 'nothing'); write 'package.module:name'"),
        (f"{HERE}", Decoder, "write 'package.module:name'"),
        ("", Decoder, "cannot be imported"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(encoder, decoder, text):
    with pytest.raises(InputError) as error:
        own(encoder, decoder).fit(X)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@kinds.KINDS.register("halves")
class Halves(kinds.AutoencoderModule):
    """Stands for kinds whose encoder gives two numbers a latent."""

    @classmethod
    def encoder_width(cls, latent_dim):
        return 2 * latent_dim

    def encode(self, x):
        return self.encoder(x).chunk(2, 1)[0]

    def losses(self, batch, optimizer):
        return {"reconstruction": self.reconstruction(self.decoder(self.encode(batch.x)), batch.x)}


kinds.KINDS.remove("halves")


@pytest.fixture
def halves():
    kinds.KINDS.add("halves", Halves)
    yield
    kinds.KINDS.remove("halves")


def test_the_kind_decides_how_the_embedding_is_read(halves):
    encoder = functools.partial(networks.build_network, "dense", (6, 5), 3, 6)
    model = own(lambda: encoder()[0], kind="halves").fit(X)
    assert model.latent_dim_ == 3
    with pytest.raises(
        InputError, match="encoder gives 3 numbers a sample; kind='halves' needs a mu"
    ):
        own(kind="halves").fit(X)


def test_options_of_named_networks_are_still_checked_for_the_rest():
    with pytest.raises(InputError, match="learning_rate"):
        own(learning_rate=-1.0).fit(X)


def saved(model, path):
    folder = RunFolder(path)
    folder.start({"status": "running"})
    save_models(folder, Models(model))
    return folder


def test_importable_networks_are_rebuilt_from_a_run_folder(tmp_path):
    model = own().fit(X)
    loaded = load_models(saved(model, tmp_path / "run"), trust_remote_code=True).autoencoder
    assert equal(weights(model), weights(loaded))
    assert np.array_equal(model.transform(X), loaded.transform(X))
    assert np.array_equal(model.reconstruct(X), loaded.reconstruct(X))
    assert loaded.encoder == f"{HERE}:make_encoder"
    # what was loaded can be saved, and trained again
    again = load_models(saved(loaded, tmp_path / "again"), trust_remote_code=True).autoencoder
    assert equal(weights(model), weights(again))
    assert equal(weights(clone(loaded).fit(X)), weights(model))


@pytest.mark.parametrize(
    "encoder",
    [
        make_encoder(),
        lambda: make_encoder(),
        functools.partial(make_encoder),
        type("Made", (), {"__call__": lambda self: make_encoder()})(),
    ],
    ids=["module", "lambda", "partial", "object"],
)
def test_what_cannot_be_imported_is_trained_but_not_saved(encoder, tmp_path):
    model = own(encoder).fit(X)
    assert np.isfinite(model.transform(X)).all()
    with pytest.raises(InputError, match="no other program can import") as e:
        saved(model, tmp_path / "run")
    assert "encoder='package.module:name'" in str(e.value)


def test_a_function_whose_name_means_another_one_is_not_saved(tmp_path):
    @functools.wraps(make_encoder)
    def wider():
        return nn.Sequential(nn.Flatten(), nn.Linear(30, 3))

    with pytest.raises(InputError, match="no other program can import"):
        saved(own(wider).fit(X), tmp_path / "run")


def test_a_run_folder_whose_network_has_gone_says_so(tmp_path):
    folder = saved(own().fit(X), tmp_path / "run")
    config = folder.read_json("config.json")
    config["autoencoder"]["params"]["encoder"] = "moved.away:make_encoder"
    folder.write_json("config.json", json.loads(json.dumps(config)))
    with pytest.raises(RunError, match="cannot be imported"):
        load_models(folder, trust_remote_code=True)


def test_a_run_folder_runs_no_code_unless_it_is_trusted(tmp_path):
    folder = saved(own().fit(X), tmp_path / "run")
    config = folder.read_json("config.json")
    config["autoencoder"]["params"]["encoder"] = "antigravity:fly"  # would open a browser
    folder.write_json("config.json", config)
    with pytest.raises(RunError, match="trust_remote_code=True"):
        load_models(folder)


def test_labels_go_on_top():
    y = np.where(np.arange(60) < 20, np.arange(60) % 2, -1)
    model = FewLabelClassifier(own(), method="fine_tune", epochs=2, learning_rates=(0.01,)).fit(
        X, y
    )
    assert model.predict(X).shape == (60,)


class Last(nn.Module):
    """Reads a sequence whose missing steps are NaN."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(2, 3, batch_first=True)

    def forward(self, x):
        return self.layer(x.nan_to_num())[1][0]


def test_own_recurrent_networks_take_rows_of_any_length():
    rows = [np.random.default_rng(i).normal(size=(2 + i % 4, 2)) for i in range(30)]

    def decoder():
        return nn.Sequential(nn.Linear(3, 10), nn.Unflatten(1, (5, 2)))

    model = own(Last, decoder, network="sequence").fit(rows)
    assert np.isfinite(model.score_samples(rows)).all()


def test_their_convolutions_count_for_the_size_of_a_step():
    def encoder():
        return nn.Sequential(
            nn.Unflatten(1, (1, 6)), nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(24, 3)
        )

    module = own(encoder).initialize(X).module_
    assert networks.multiplications(module.encoder) == (9 + 1) * 2 * 12 + 25 * 3


def test_the_cause_of_a_failure_is_kept():
    with pytest.raises(InputError) as error:
        own(Silent).fit(X)
    assert "in forward" in "".join(traceback.format_exception(error.value))
