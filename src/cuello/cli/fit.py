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

from cuello.cli.command import COMMANDS, Command, UsageError, command, examples_text
from cuello.cli.interrupt import importing
from cuello.cli.options import absolute, expanded, option_parameter, parse_value
from cuello.cli.plan import show_plan
from cuello.cli.watch import finish_watched
from cuello.errors import Argument, CuelloError, InputError
from cuello.options import Option

__all__ = ["FitCommand"]

_RUN = "Run"
_OF = "Options of"
_CHOOSING = ("kind", "network")
"""Options whose value brings further options."""


def _run_option(*flags: str, help: str, **more: Any) -> Any:
    return typer.Option(*flags, help=help, rich_help_panel=_RUN, **more)


def _of_the_command(
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
    trust_remote_code: Annotated[
        bool,
        _run_option(
            "--trust-remote-code",
            help="With --resume: import and run the user-defined networks that the run names.",
        ),
    ] = False,
) -> None:
    """Hold the options that belong to the command line alone."""


class FitCommand(Command):
    """Builds its options when it is used: only then is torch imported."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **more: Any
    ) -> Any:
        """Parse arguments by the options of the kind and network that they name."""
        with importing():
            import cuello.estimators  # noqa: F401
        choice = {name: _value_of(f"--{name}", args) for name in _CHOOSING}
        with self.refusals():
            options = _options(choice)
        built = _command(options, choice)
        try:
            return built.make_context(info_name, args, parent=parent, **more)
        except UsageError as error:
            flag = getattr(error, "option_name", None)
            if not flag:
                raise
            with built.refusals():
                raise _wrong_flag(flag, choice, built) from None


def _value_of(flag: str, args: Sequence[str]) -> str | None:
    """Return the last value that is given for a flag."""
    value = None
    for place, argument in enumerate(args):
        if argument == flag and place + 1 < len(args):
            value = args[place + 1]
        elif argument.startswith(f"{flag}="):
            value = argument.partition("=")[2]
    return value


def _registries() -> dict[str, Any]:
    from cuello.kinds import KINDS
    from cuello.networks import NETWORKS

    return {"kind": KINDS, "network": NETWORKS}


def _options_of(what: str, name: str) -> Mapping[str, Option]:
    entry = _registries()[what][name]
    options: Mapping[str, Option] = entry.options() if what == "kind" else entry.options
    return options


def _options(choice: Mapping[str, str | None]) -> dict[str, dict[str, Option]]:
    """Return the options of the job and the model, and of the chosen kind and network, by panel."""
    from cuello.estimators import Autoencoder
    from cuello.options import read_options
    from cuello.run.job import Job
    from cuello.train import TrainingConfig

    training = {*read_options(TrainingConfig)}
    # Flags of their own give these, or options of the job.
    hidden = ("kind_options", "network_options", "validation_fraction", "random_state")
    model = read_options(Autoencoder, skip=hidden)
    kind = Option(
        name="kind",
        type="str",
        default=inspect.signature(Autoencoder).parameters["kind"].default,
        help="Kind of autoencoder; `cuello kinds` lists them.",
        choices=tuple(_registries()["kind"]),
    )
    panels = {
        "Data and labels": read_options(Job, skip=("data", "model")),
        "Model": {"kind": kind} | {n: o for n, o in model.items() if n not in training},
        "Training": {n: o for n, o in model.items() if n in training},
    }
    for what in _CHOOSING:
        name = choice[what] or panels["Model"][what].default
        registry = _registries()[what]
        resolved = registry.resolve(name)
        panels[f"{_OF} {what} {resolved}"] = dict(_options_of(what, resolved))
    return panels


def _command(
    panels: Mapping[str, Mapping[str, Option]], choice: Mapping[str, str | None]
) -> Command:
    """Return the command with all these options."""
    parameters = list(inspect.signature(_of_the_command, eval_str=True).parameters.values())
    options: dict[str, Option] = {}
    for panel, members in panels.items():
        for name, option in members.items():
            parameters.append(option_parameter(option, panel))
            options[name] = option
    own = {
        what: [
            n for panel, m in panels.items() if panel.startswith(f"Options of {what}") for n in m
        ]
        for what in _CHOOSING
    }

    def run(context: typer.Context, **values: Any) -> None:
        values |= {n: parse_value(o, values[n]) for n, o in options.items()}
        given = [n for n in values if _is_given(context, n)]
        _run(values, given, own)

    context = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [context, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters)]
    )
    run.__annotations__ = {p.name: p.annotation for p in [context, *parameters]}
    run.__doc__ = fit_command.__doc__
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    entry = COMMANDS["fit"]
    app.command(
        "fit",
        cls=Command,
        epilog=examples_text(entry.examples),
        context_settings={"help_option_names": ["-h", "--help"]},
    )(run)
    built = typer.main.get_command(app)
    assert isinstance(built, Command)
    return built


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _run(values: dict[str, Any], given: list[str], own: Mapping[str, list[str]]) -> None:
    data, resume = values.pop("data"), values.pop("resume")
    out, overwrite = values.pop("out"), values.pop("overwrite")
    dry_run, watch = values.pop("dry_run"), values.pop("watch")
    trust_remote_code = values.pop("trust_remote_code")
    with importing():
        from cuello import api
    if resume is not None:
        others = [n for n in given if n not in ("resume", "trust_remote_code", "watch")]
        if others:
            other = data if others[0] == "data" else Argument(others[0])
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
        folder = expanded(resume)
        finish_watched(
            folder,
            lambda p: api.resume_with_report(
                folder, trust_remote_code=trust_remote_code, progress=p
            ),
            watch,
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
    options = {n: values.pop(n) for names in own.values() for n in names}
    for what, names in own.items():
        values[f"{what}_options"] = {n: options[n] for n in names if n in given}
    labels = values["labels"]
    values |= {
        "data": absolute(data),
        "labels": labels if labels is None or labels.isdecimal() else absolute(labels),
    }
    job = api.Job.of(**values)
    if dry_run:
        if watch:
            raise InputError(
                (Argument("watch"), " has nothing to show with ", Argument("dry_run")),
                remedy="leave one of them out",
            )
        show_plan(job)
        return
    where = api.default_folder(data) if out is None else expanded(out)
    finish_watched(
        where, lambda p: api.start_with_report(job, where, overwrite=overwrite, progress=p), watch
    )


def _default_of(built: Command, name: str) -> str:
    return next(str(parameter.default) for parameter in built.params if parameter.name == name)


def _wrong_flag(flag: str, choice: Mapping[str, str | None], built: Command) -> CuelloError:
    """Build the error for a flag without a value, of another kind or network, or of no option."""
    if any(flag in parameter.opts for parameter in built.params):
        return InputError(f"{flag} needs a value.")
    name = flag.removeprefix("--").replace("-", "_")
    for what, registry in _registries().items():
        owners = [entry for entry in registry if name in _options_of(what, entry)]
        if owners:
            chosen = choice[what] or _default_of(built, what)
            return InputError(
                f"{flag} is an option of --{what} {f' and --{what} '.join(owners)}, not of "
                f"--{what} {chosen}; leave it out or choose that {what}."
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
