"""The mean teacher against its formulas, and the students against the shapes they must take."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello import Autoencoder, FewLabelClassifier, InputError
from cuello.few_label import METHODS, FewLabelOptions, LearningProblem, teacher
from cuello.few_label.methods import mean_teacher
from cuello.few_label.students import STUDENTS, build_student
from cuello.few_label.tasks import Binary, Multiclass
from cuello.few_label.teacher import MeanTeacher, strong_augmentation
from cuello.kinds import Batch


def problem_of(shape=(6,), classes=3, n=40, **own):
    rng = np.random.default_rng(0)
    y = np.arange(n) % classes
    x = rng.normal(size=(n, *shape)) + y.reshape(-1, *[1] * len(shape))
    return LearningProblem(
        x=torch.from_numpy(x).float(),
        y=y,
        labelled=np.arange(n) < 2 * classes,
        task=Binary() if classes == 2 else Multiclass(classes),
        autoencoder=None,
        options=FewLabelOptions(method_options=own),
    )


def batch_of(problem, rows=slice(None)):
    places = torch.arange(len(problem.x))
    return Batch(problem.x[rows], places[rows])


def test_the_teacher_is_the_running_average_of_the_student():
    pair = MeanTeacher(problem_of(), build_student(problem_of())).train()
    expected = {k: v.clone() for k, v in pair.teacher.state_dict().items()}
    for step in range(4):
        with torch.no_grad():
            for weight in pair.student.parameters():
                weight.add_(1.0 + step)
        pair._average_weights()
        kept = min(teacher.TEACHER_DECAY, (1.0 + step) / (10.0 + step))
        for name, value in pair.student.state_dict().items():
            if value.is_floating_point():
                expected[name] = kept * expected[name] + (1.0 - kept) * value
    for name, value in pair.teacher.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)


def test_the_teacher_is_never_trained():
    pair = MeanTeacher(problem_of(), build_student(problem_of())).train()
    assert pair.student.training
    assert not any(module.training for module in pair.teacher.modules())
    assert not any(p.requires_grad for p in pair.teacher.parameters())
    learned = {id(p) for g in pair.optimizers()["student"] for p in g["params"]}
    assert learned == {id(p) for p in pair.student.parameters()}


@pytest.mark.parametrize("classes", [2, 3])
def test_the_terms_are_those_of_the_formulas(classes):
    problem = problem_of(classes=classes, perturbation=0.0, threshold=0.5)
    guesses = np.random.default_rng(1).dirichlet(np.ones(classes), size=40)
    # No batch statistics, so that rows stand alone.
    pair = MeanTeacher(problem, build_student(problem), guesses).eval()
    pair.progress = 0.1
    before = copy.deepcopy(pair)
    torch.manual_seed(0)
    terms = pair.losses(batch_of(problem), "student")

    before._average_weights()
    torch.manual_seed(0)
    drawn = torch.randint(2 * classes, (teacher.LABELLED_BATCH,))

    def score(network, x):
        scores = network(x).detach()
        return torch.cat([torch.zeros_like(scores), scores], 1) if classes == 2 else scores

    told = score(before.teacher, problem.x).softmax(1)
    said = before.prior + 0.01 * (told.mean(0) - before.prior)
    aligned = F.normalize(told * before.prior / said, p=1.0, dim=1)
    sure, named = aligned.max(1)
    student = score(before.student, problem.x)
    off = -student.log_softmax(1)
    expected = off[torch.arange(40), named][sure >= 0.5].sum() / 40
    torch.testing.assert_close(terms["confident"].detach(), expected)
    sharper = F.normalize(aligned**teacher.SHARPENING, p=1.0, dim=1)
    expected = (sharper * off).sum(1)[sure < 0.5].sum() / 40
    torch.testing.assert_close(terms["unconfident"].detach(), expected)
    labels = torch.from_numpy(problem.y[: 2 * classes])[drawn]
    own = -student[: 2 * classes][drawn].log_softmax(1)[torch.arange(len(drawn)), labels]
    (name,) = terms.keys() - {"confident", "unconfident", "pseudo_labels"}
    torch.testing.assert_close(terms[name].detach(), own.mean())
    shares = torch.from_numpy(guesses).float()
    certain = 1 + (shares * shares.log()).sum(1) / np.log(classes)
    fading = 1.0 - 0.1 / teacher.PSEUDO_LABEL_SHARE
    torch.testing.assert_close(
        terms["pseudo_labels"].detach(), fading * (certain * (shares * off).sum(1)).mean()
    )


def test_guesses_fade_to_nothing():
    problem = problem_of()
    guesses = np.full((40, 3), [0.8, 0.1, 0.1])
    pair = MeanTeacher(problem, build_student(problem), guesses).train()
    pair.progress = teacher.PSEUDO_LABEL_SHARE
    assert pair.losses(batch_of(problem), "student")["pseudo_labels"] == 0.0


def test_a_class_that_is_named_too_often_is_named_less():
    pair = MeanTeacher(problem_of(), build_student(problem_of()))
    told = torch.tensor([[0.5, 0.3, 0.2]]).repeat(5, 1)
    for _ in range(2000):
        aligned = pair._align(told)
    torch.testing.assert_close(aligned, torch.full((5, 3), 1 / 3), atol=1e-3, rtol=0)


def test_rows_of_tables_are_moved_where_the_teacher_changes_most():
    problem = problem_of(perturbation=0.5)
    pair = MeanTeacher(problem, build_student(problem)).train()
    distances = torch.cdist(problem.x, problem.x).fill_diagonal_(torch.inf).amin(1)
    assert pair.radius == pytest.approx(0.5 * float(np.median(distances.numpy())), rel=1e-4)
    torch.manual_seed(0)
    moved = pair._perturbed(problem.x, pair._log_probabilities(problem.x).detach())
    torch.testing.assert_close((moved - problem.x).norm(dim=1), torch.full((40,), pair.radius))

    def change(rows):
        told = pair._log_probabilities(problem.x)
        return (told.exp() * (told - pair._log_probabilities(rows))).sum(1).mean()

    random = problem.x + pair.radius * F.normalize(torch.randn_like(problem.x), dim=1)
    assert change(moved) > 2.0 * change(random)
    images = problem_of((8, 8))
    unmoved = MeanTeacher(images, build_student(images)).radius == 0.0
    assert unmoved, "images are augmented instead"


def test_an_unsteady_row_says_nothing():
    problem = problem_of(threshold=0.999)
    pair = MeanTeacher(problem, build_student(problem)).train()
    assert pair.losses(batch_of(problem), "student")["confident"] == 0.0


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), channels=st.sampled_from([None, 1, 3]))
def test_students_take_images_of_any_size(height, width, channels):
    shape = (height, width) if channels is None else (channels, height, width)
    problem = problem_of(shape, n=6)
    for name in STUDENTS:
        network = build_student(problem_of(shape, n=6, network=name)).eval()
        assert network(problem.x).shape == (6, 3)


@pytest.mark.parametrize(("augment", "stays"), [(None, True), ("none", True), ("auto", False)])
def test_images_that_are_to_stay_as_they_are_do(augment, stays):
    problem = problem_of((12, 12))
    problem = replace(problem, options=replace(problem.options, augment=augment))
    pair = MeanTeacher(problem, build_student(problem))
    assert torch.equal(pair.weak(problem.x), problem.x) == stays
    assert torch.equal(pair.strong(problem.x), problem.x) == stays


def test_larger_students_get_fewer_steps_but_no_fewer_than_the_fewest():
    rows, costs = 200_000, (4.0e4, 1.5e6, 5.0e6, 1.0e9)
    steps, limits = [], {"PASSES": 100, "MIN_STEPS": 1000}
    for cost in costs:
        with pytest.MonkeyPatch.context() as patched:
            for name, value in limits.items():
                patched.setattr(mean_teacher, name, value)
            patched.setattr(mean_teacher, "multiplications", lambda _, cost=cost: cost)
            patched.setattr(mean_teacher, "build_student", lambda _: None)
            steps.append(mean_teacher.teacher_steps(problem_of(n=rows)))
    assert steps[0] == mean_teacher.MAX_STEPS
    assert steps[1:3] == [round(STUDENTS["dense"].work / cost) for cost in costs[1:3]]
    assert steps[3] == limits["MIN_STEPS"]
    few = problem_of(n=30 * mean_teacher.BATCH)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mean_teacher, "PASSES", 100)
        assert mean_teacher.teacher_steps(few) == 3000, "few samples are seen often enough"


def test_students_follow_from_the_rows_and_the_seed():
    images, table = problem_of((12, 12)), problem_of((144,))
    assert any(isinstance(m, torch.nn.Conv2d) for m in build_student(images).modules())
    assert not any(isinstance(m, torch.nn.Conv2d) for m in build_student(table).modules())
    again = [build_student(images).state_dict() for _ in range(2)]
    assert all(torch.equal(again[0][k], again[1][k]) for k in again[0])
    standard = build_student(table).body[0](table.x)
    assert float(standard.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(standard.std()) == pytest.approx(1.0, abs=1e-4)


def test_a_table_has_no_convolutions():
    with pytest.raises(InputError, match="network='conv'"):
        build_student(problem_of((6,), network="conv"))


def test_time_steps_are_no_images():
    rows = problem_of((12, 3))
    sequences = LearningProblem(
        x=rows.x,
        y=rows.y,
        labelled=rows.labelled,
        task=rows.task,
        autoencoder=Autoencoder(network="sequence"),
        options=rows.options,
    )
    assert not any(isinstance(m, torch.nn.Conv2d) for m in build_student(sequences).modules())


@given(side=st.integers(1, 300))
def test_the_displacement_grows_with_the_image(side):
    assert strong_augmentation((side, side + 5)).elastic == pytest.approx(0.07 * side)
    assert not strong_augmentation((side, side)).flip


@pytest.mark.parametrize("network", sorted(STUDENTS))
def test_each_student_learns_by_its_recipe_with_as_much_decay_a_step(network, monkeypatch):
    hows = []
    monkeypatch.setattr(mean_teacher, "train", lambda model, rows, how, **_: hows.append(how))
    problem = problem_of((8, 8), network=network, steps=2, pretraining="none")
    METHODS["mean_teacher"].fit(problem)
    recipe = STUDENTS[network]
    assert {(how.optimizer, how.learning_rate) for how in hows} == {
        (recipe.optimizer, recipe.learning_rate)
    }
    decay = FewLabelOptions().decay * STUDENTS["dense"].learning_rate
    assert hows[0].weight_decay * hows[0].learning_rate == pytest.approx(decay)


def test_no_autoencoder_is_trained_for_a_network_of_its_own():
    problem = problem_of(n=60)
    y = np.where(problem.labelled, problem.y, -1)
    model = FewLabelClassifier(Autoencoder(latent_dim=2), method="mean_teacher", cv=0)
    model.set_params(method_options={"steps": 2}).fit(problem.x.numpy(), y)
    assert model.autoencoder_.history_ == []
