"""`cuello fit`: train on all samples, then learn from the few labels there are.

Its options are those of :class:`cuello.run.Job`, of :class:`cuello.Autoencoder`, and of the chosen
kind and network; none of them is listed here.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cuello.cli import importing
from cuello.cli.command import (
    COMMANDS,
    Command,
    UsageError,
    command,
    examples_text,
    is_given,
    with_parameters,
)
from cuello.cli.options import absolute, expanded, option_parameter, parse_value
from cuello.cli.training import finish_training, show_plan
from cuello.errors import Argument, CuelloError, InputError
from cuello.options import Option

__all__ = ["FitCommand"]

_CHOOSING = ("kind", "network")
"""Options whose value brings further options."""


class FitCommand(Command):
    """Builds its options when it is used: only then is torch imported."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **more: Any
    ) -> Any:
        """Parse arguments by the options of the kind and network that they name."""
        with importing():
            from cuello.estimators import Autoencoder
            from cuello.kinds import choose_kind
            from cuello.networks import choose_network
        defaults = inspect.signature(Autoencoder).parameters
        choice = {
            name: _value_of(f"--{name}", args) or defaults[name].default for name in _CHOOSING
        }
        choice = {
            "kind": choose_kind(choice["kind"]),
            "network": choose_network(choice["network"]),
        }
        with self.refusals():
            built = _build(choice)
        try:
            return built.make_context(info_name, args, parent=parent, **more)
        except UsageError as error:
            flag = getattr(error, "option_name", None)
            if not flag:
                raise
            with built.refusals():
                raise _wrong_flag(flag, choice, built) from None


def _value_of(flag: str, args: Sequence[str]) -> str | None:
    """Return the last value that is typed for a flag."""
    value = None
    for index, argument in enumerate(args):
        if argument == flag and index + 1 < len(args):
            value = args[index + 1]
        elif argument.startswith(f"{flag}="):
            value = argument.partition("=")[2]
    return value


def _registries() -> dict[str, Any]:
    from cuello.kinds import KINDS
    from cuello.networks import NETWORKS

    return {"kind": KINDS, "network": NETWORKS}


def _options_of(role: str, name: str) -> Mapping[str, Option]:
    entry = _registries()[role][name]
    options: Mapping[str, Option] = entry.options() if role == "kind" else entry.options
    return options


def _panels(choice: Mapping[str, str]) -> dict[str, Mapping[str, Option]]:
    """Return the options of the job and the model, and of the chosen kind and network, by panel."""
    from cuello.estimators import Autoencoder
    from cuello.options import read_options
    from cuello.run.job import Job
    from cuello.train import TrainingConfig

    training = {*read_options(TrainingConfig)}
    # Other flags give these, or options of the job.
    hidden = ("kind_options", "network_options", "validation_fraction", "random_state", "verbose")
    job = read_options(Job, skip=("data", "model"))
    model = read_options(Autoencoder, skip=(*hidden, *job))
    kind = Option(
        name="kind",
        type="str",
        default=inspect.signature(Autoencoder).parameters["kind"].default,
        help="Kind of autoencoder (see `cuello kinds`); auto is plain for tables, else denoising.",
        choices=("auto", *_registries()["kind"]),
    )
    names = {role: _registries()[role].resolve(name) for role, name in choice.items()}
    return {
        "Data and labels": job,
        "Model": {"kind": kind} | {n: o for n, o in model.items() if n not in training},
        "Training": {n: o for n, o in model.items() if n in training},
    } | {f"Options of {role} {name}": _options_of(role, name) for role, name in names.items()}


def _build(choice: Mapping[str, str]) -> Command:
    """Return the command with the options of the chosen kind and network."""
    panels = _panels(choice)
    options = {name: option for members in panels.values() for name, option in members.items()}

    def run(context: typer.Context, **values: Any) -> None:
        typed = [name for name in values if is_given(context, name)]
        values |= {name: parse_value(option, values[name]) for name, option in options.items()}
        for role in _CHOOSING:
            chosen = {name: values.pop(name) for name in _options_of(role, choice[role])}
            values[f"{role}_options"] = {n: value for n, value in chosen.items() if n in typed}
        _run_fit(typed, **values)

    _, *fixed, _ = inspect.signature(_run_fit, eval_str=True).parameters.values()
    parameters = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    ]
    parameters += fixed
    for panel, members in panels.items():
        parameters += [option_parameter(option, panel) for option in members.values()]
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(
        "fit",
        cls=Command,
        epilog=examples_text(COMMANDS["fit"].examples),
        context_settings={"help_option_names": ["-h", "--help"]},
    )(with_parameters(run, parameters, fit_command))
    built = typer.main.get_command(app)
    assert isinstance(built, Command)
    return built


def _run_option(*flags: str, help: str, **more: Any) -> Any:
    return typer.Option(*flags, help=help, rich_help_panel="Run", **more)


def _run_fit(
    typed: list[str],
    data: Annotated[
        str | None,
        typer.Argument(
            help="A named set (`cuello data` lists them) or a path.", show_default=False
        ),
    ] = None,
    *,
    out: Annotated[
        Path | None, _run_option("--out", "-o", help="The run folder.", show_default="runs/NAME")
    ] = None,
    overwrite: Annotated[
        bool, _run_option("--overwrite", help="Replace the run that is there.")
    ] = False,
    dry_run: Annotated[
        bool, _run_option("--dry-run", help="Check data and options, show the network, and stop.")
    ] = False,
    resume: Annotated[
        Path | None,
        _run_option("--resume", help="Continue an interrupted run; needs no other option."),
    ] = None,
    watch: Annotated[
        bool, _run_option("--watch", help="Show the training in a browser, until Ctrl-C.")
    ] = False,
    quiet: Annotated[
        bool, _run_option("--quiet", help="Show results alone, and no progress.")
    ] = False,
    trust_remote_code: Annotated[
        bool,
        _run_option(
            "--trust-remote-code",
            help="With --resume: import and run the user-defined networks that the run names.",
        ),
    ] = False,
    **options: Any,
) -> None:
    """Start or resume a run; ``typed`` names the options on the command line."""
    with importing():
        from cuello import api
    if resume is not None:
        others = [n for n in typed if n not in ("resume", "trust_remote_code", "watch", "quiet")]
        if others:
            _refuse_beside_resume(resume, str(data) if others[0] == "data" else Argument(others[0]))
        folder = expanded(resume)
        finish_training(
            folder,
            lambda p: api.resume_with_report(
                folder, trust_remote_code=trust_remote_code, progress=p
            ),
            watch=watch,
            quiet=quiet,
            trust_remote_code=trust_remote_code,
        )
        return
    if trust_remote_code:
        raise InputError(
            (Argument("trust_remote_code"), " goes with ", Argument("resume")),
            remedy="leave it out of a new run",
        )
    if not data:
        raise InputError("which data? Name a set or a path, such as: cuello fit digits.")
    labels = options["labels"]
    options["labels"] = labels if labels is None or labels.isdecimal() else absolute(labels)
    job = api.Job.of(data=absolute(data), **options)
    if dry_run:
        if watch:
            raise InputError(
                (Argument("watch"), " has nothing to show with ", Argument("dry_run")),
                remedy="leave one of them out",
            )
        show_plan(job)
        return
    where = api.default_folder(data) if out is None else expanded(out)
    finish_training(
        where,
        lambda p: api.start_with_report(job, where, overwrite=overwrite, progress=p),
        watch=watch,
        quiet=quiet,
    )


def _refuse_beside_resume(resume: Path, other: str | Argument) -> None:
    raise InputError(
        (
            "continues with the data and options it was started with; leave ",
            other,
            " out, or start another run with ",
            Argument("out"),
        ),
        argument="resume",
        value=str(resume),
    )


def _wrong_flag(flag: str, choice: Mapping[str, str], built: Command) -> CuelloError:
    """Build the error for a flag without a value, of another kind or network, or of no option."""
    for parameter in built.params:
        if flag in parameter.opts:
            needs = "takes no value" if getattr(parameter, "is_flag", False) else "needs a value"
            return InputError(f"{flag} {needs}.")
    name = flag.removeprefix("--").replace("-", "_")
    for role, registry in _registries().items():
        owners = [entry for entry in registry if name in _options_of(role, entry)]
        if owners:
            return InputError(
                f"{flag} is an option of --{role} {f' and --{role} '.join(owners)}, not of "
                f"--{role} {choice[role]}; leave it out or choose that {role}."
            )
    flags = [opt for parameter in built.params for opt in parameter.opts if opt.startswith("--")]
    near = difflib.get_close_matches(flag, flags, n=2, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    return InputError(f"{flag} is not an option of `cuello fit`{hint} See cuello fit --help.")


@command(
    "Train",
    examples=(
        "cuello fit digits --labels 100 --latent 8",
        "cuello fit scans/ --kind vae --labels labels.csv --out runs/scans",
    ),
    cls=FitCommand,
    name="fit",
)
def fit_command() -> None:
    """Train on all samples without labels, then learn from the few labels there are."""
