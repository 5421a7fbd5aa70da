import pytest

from cuello.study.summary import spread
from cuello_labs.reduction import PUBLISHED, judge, show, trials


def accuracies(plain, variational, pca=0.42, sd=0.01):
    around = {"plain": plain, "variational": variational}
    return {"pca": spread([pca])} | {m: spread([v - sd, v, v + sd]) for m, v in around.items()}


def test_verdict_both_ways():
    holds, text = judge(accuracies(0.79, 0.76), of_mnist=True)
    assert holds is True
    assert "autoencoders keep classes apart" in text
    assert "(published 0.793), plain" in text
    assert "plain is above variational" in text
    holds, text = judge(accuracies(0.79, 0.3), of_mnist=False)
    assert holds is False
    assert "do not keep classes apart better than PCA's" in text
    assert "published" not in text
    assert judge(accuracies(0.79, 0.43), of_mnist=True)[0] is None
    assert "within the noise" in judge(accuracies(0.79, 0.79), of_mnist=True)[1]


def test_best_of_the_other_kinds_is_named():
    knn = accuracies(0.79, 0.76) | {"stacked": spread([0.5]), "denoising": spread([0.6])}
    assert "denoising has most, 0.6" in judge(knn, of_mnist=True)[1]


def test_published_figures_are_drawn_beside_mnist_only():
    for quick in (True, False):
        records = [
            {"options": dict(t.options), "seed": t.seed, "knn": 0.5, "trust": 0.9}
            for t in trials(quick)
        ]
        labels = [
            text.get_text()
            for text in show(records).pictures[0].figure.axes[0].get_legend().get_texts()
        ]
        assert ("published" in labels) is not quick


def test_pca_has_one_trial_a_size():
    pca = [t for t in trials(False) if t.options["method"] == "pca"]
    assert [t.options["latent_dim"] for t in pca] == [2, 32]
    assert set(PUBLISHED) == {"pca", "plain", "variational"}


def test_nothing_measured_decides_nothing():
    knn = accuracies(0.79, 0.76) | {"plain": spread([])}
    assert judge(knn, of_mnist=True)[0] is None
    assert pytest.approx(0.793) == PUBLISHED["plain"]
