"""Options of a kind or network, read from signatures: `--noise-level 0.3` needs no code here."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from cuello.cli.flags import flag as flag_of
from cuello.errors import InputError
from cuello.registry import Option

__all__ = ["OwnOptions", "parse_rest"]

_PARSERS: dict[str, Any] = {"int": int, "float": float, "str": str}
_TRUTHS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}

Options = Mapping[str, Option]


class OwnOptions:
    """What the chosen kind and network accept beyond the general options.

    Raises
    ------
    InputError
        If kind or network is not known.
    """

    def __init__(self, kind: str, network: str) -> None:
        from cuello.kinds import KINDS
        from cuello.networks import NETWORKS

        self.chosen = {"--kind": kind, "--network": network}
        self.kind: Options = KINDS[kind].options()
        self.network: Options = NETWORKS[network].options

    @property
    def names(self) -> list[str]:
        """Of all of them."""
        return [*self.kind, *self.network]


def _all_options(what: str) -> dict[str, Options]:
    from cuello import kinds, networks

    if what == "--kind":
        return {name: kinds.KINDS[name].options() for name in kinds.KINDS}
    return {name: networks.NETWORKS[name].options for name in networks.NETWORKS}


def parse_rest(
    arguments: list[str], own: OwnOptions, general: Iterable[str]
) -> tuple[str | None, dict[str, Any], dict[str, Any]]:
    """Turn what the general options left on the command line into data and own options.

    Returns
    -------
    data : str or None
        The one argument that belongs to no option.
    kind_options, network_options : dict

    Raises
    ------
    InputError
        If an argument is nobody's option (names the nearest), or there are two data.
    """
    data: str | None = None
    chosen: dict[str, Any] = {}
    parameters = {**own.kind, **own.network}
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if not argument.startswith("-"):
            if data is not None:
                raise InputError(
                    f"{argument}: the data is {data} already; name one set or path, and put "
                    "quotes around a path with spaces."
                )
            data = argument
            continue
        flag, has_value, value = argument.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if not flag.startswith("--") or name not in parameters:
            raise _unknown_option(flag, own, general)
        if not has_value:
            value = _next_value(flag, parameters[name], left)
        chosen[name] = _parse(flag, value, parameters[name])
    return (
        data,
        {name: value for name, value in chosen.items() if name in own.kind},
        {name: value for name, value in chosen.items() if name in own.network},
    )


def _next_value(flag: str, parameter: Option, left: list[str]) -> str:
    if parameter.type == "bool" and not (left and left[0].lower() in _TRUTHS):
        return "yes"  # the flag alone
    if not left:
        raise InputError(f"{flag} needs a value.")
    return left.pop(0)


def _parse(flag: str, value: str, parameter: Option) -> Any:
    wanted = parameter.type
    if wanted == "bool":
        if value.lower() not in _TRUTHS:
            raise InputError(f"{flag} {value}: write yes or no.")
        return _TRUTHS[value.lower()]
    try:
        return _PARSERS.get(wanted, str)(value)
    except ValueError:
        number = "a whole number" if wanted == "int" else "a number"
        raise InputError(
            f"{flag} {value}: not {number}; the default is {parameter.default}."
        ) from None


def _unknown_option(flag: str, own: OwnOptions, general: Iterable[str]) -> InputError:
    for what, chosen in own.chosen.items():
        others = [n for n, found in _all_options(what).items() if flag in map(flag_of, found)]
        if others:
            return InputError(
                f"{flag} is an option of {what} {f' and {what} '.join(others)}, not of {what} "
                f"{chosen}; leave it out or choose that {what.removeprefix('--')}."
            )
    flags = [flag_of(name) for name in own.names]
    near = difflib.get_close_matches(flag, [*flags, *general], n=2, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    listed = "; ".join(
        f"{what} {own.chosen[what]}: {', '.join(map(flag_of, found)) or 'none'}"
        for what, found in (("--kind", own.kind), ("--network", own.network))
    )
    return InputError(
        f"{flag} is not an option of `cuello fit`{hint} Options of {listed}; see cuello fit --help "
        "and cuello kinds."
    )
