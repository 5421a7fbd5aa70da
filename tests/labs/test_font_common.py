"""What the labs on the 7x5 characters share: errors in pixels, and trials from options."""

from __future__ import annotations

import numpy as np

from cuello.study.trials import Trial
from cuello_labs._font import (
    characters,
    decode_errors,
    fit_trials,
    nearest,
    network_name,
    of_protocol,
)


def test_errors_count_pixels():
    rows = np.ones((2, 35))
    output = rows.copy()
    output[1, :3] = -0.5
    errors = decode_errors(rows, output)
    assert errors["wrong_mean"] == 1.5
    assert errors["wrong_max"] == 3
    assert errors["error"] == np.mean((rows - output) ** 2)


def test_nearest_character_of_damaged_ones_is_the_character():
    rows, _ = characters()
    damaged = rows.copy()
    damaged[:, 0] *= -1
    place, pixels = nearest(rows, 0.1 * damaged)
    apart = np.array([[np.sum(a != b) for b in rows] for a in rows])
    assert (pixels <= 1).all()
    alone = np.sort(apart, axis=1)[:, 1] > 2
    assert (place[alone] == np.arange(32)[alone]).all()


def test_parts_of_the_font():
    assert characters("AB")[1] == ("A", "B")
    rows, names = characters(charset="digits")
    assert rows.shape == (10, 35)
    assert set(np.unique(rows)) == {-1.0, 1.0}
    assert "3" in names


def test_both_protocols_give_errors_in_the_same_coding():
    rows, _ = characters("AFK")
    trials = [
        Trial({"hidden": [4], "epochs": 2}, 0),
        Trial({"protocol": "adam", "hidden": [30], "latent_dim": 10, "epochs": 400}, 1),
    ]
    found = dict(fit_trials(trials, rows))
    assert found[trials[0]]["error"] > 0.5
    assert found[trials[1]]["wrong_max"] == 0
    assert found[trials[1]]["error"] < 0.05


def test_what_a_lab_measures_replaces_the_errors():
    rows, _ = characters("AF")
    trial = Trial({"hidden": [], "epochs": 4}, 0)
    ((_, result),) = fit_trials([trial], rows, lambda trained, own: trained.error_curve(2))
    assert result["epochs"] == [1.0, 2.0, 4.0]
    assert len(result["errors"]) == 3


def test_names_and_protocols():
    assert network_name((), 2) == "35-2-35"
    records = [{"options": {}}, {"options": {"protocol": "adam"}}]
    assert of_protocol(records, "online") == records[:1]
    assert of_protocol(records, "adam") == records[1:]
