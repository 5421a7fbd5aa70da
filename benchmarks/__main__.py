"""``python -m benchmarks [names...] [--quick] [--rounds N] [--out FILE]``.

Ends with 1 if a target was missed, 2 if the command line is wrong.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.timing import Result, Settings, limit_threads, machine

_NAMES = (
    "speedrun",
    "main_job",
    "pca",
    "training_loop",
    "optimizers",
    "many",
    "many_sizes",
    "conv",
    "vae_latent",
    "peers",
    "precision",
    "muon",
    "memory",
    "help",
    "likelihood",
    "kinds",
    "suggest",
    "few_labels",
    "tables",
    "anomalies",
    "denoise",
    "impute",
    "samples",
    "projections",
    "page",
)


def main() -> int:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(_NAMES)}; none: all of them")
    parser.add_argument("--quick", action="store_true", help="try it out; numbers mean nothing")
    parser.add_argument("--rounds", type=int, help="alternating rounds (5; 2 with --quick)")
    parser.add_argument("--out", type=Path, help="also write this Markdown file, and a .json")
    given = parser.parse_args()
    wrong = _complaint(given)
    if wrong:
        print(wrong, file=sys.stderr)
        return 2

    limit_threads()
    rounds = given.rounds or (2 if given.quick else 5)
    settings = Settings(quick=given.quick, rounds=rounds)
    head = f"# Benchmarks\n\n{machine()}. Times are those of the fastest of the rounds.\n"
    if given.quick:
        head += "\n**`--quick`: few rows, no number here means anything and no bar is judged.**\n"
    print(head, flush=True)
    results: list[Result] = []
    for name in dict.fromkeys(given.names or _NAMES):
        result = importlib.import_module(f"benchmarks.{name}").run(settings)
        if given.quick:
            result = replace(result, bars=[])
        results.append(result)
        print(result.to_markdown(), flush=True)
        if given.out:  # after each, so that an interruption loses none
            _write(given.out, head, results, settings)
    missed = [bar for result in results for bar in result.bars if not bar.met]
    return 1 if missed else 0


def _complaint(given: argparse.Namespace) -> str | None:
    for name in given.names:
        if name not in _NAMES:
            return f"benchmark {name!r} is not known; known: {', '.join(_NAMES)}."
    if given.rounds is not None and given.rounds < 1:
        return f"--rounds {given.rounds} must be at least 1."
    if given.out and not given.out.absolute().parent.is_dir():
        return f"--out {given.out}: its folder does not exist."
    if given.out and given.out.suffix == ".json":
        return f"--out {given.out} names the Markdown file; the .json is written beside it."
    return None


def _write(out: Path, head: str, results: list[Result], settings: Settings) -> None:
    text = "\n".join([head, *(result.to_markdown() for result in results)])
    out.write_text(text, encoding="utf-8")
    record = {
        "machine": machine(),
        "quick": settings.quick,
        "rounds": settings.rounds,
        "results": [result.to_json() for result in results],
    }
    out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
