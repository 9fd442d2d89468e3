"""`ogive analyze`: what the graph of a model knows, as a table, as JSON or as a picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ogive.analyses import analyses_of
from ogive.backends.analysis.chart import NoNumbersError, chart_html, chart_svg
from ogive.cli.common import (
    CHECKPOINT,
    EXTERN,
    FILE,
    FORCE,
    WEIGHTS,
    once,
    progress,
    setting,
    size_number,
    split_target,
    targets,
)
from ogive.cli.given_data import DATA, LOSS, tensors
from ogive.cli.target import one_model_of, sizes_for
from ogive.compiler.analysis.frame.result import AnalysisResult
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.pipelines.calls import PassCall, calls_of
from ogive.extras import needs
from ogive.outputs import OutputFile, write
from ogive.refusals import WrongArgument

FORMATS = (".html", ".svg", ".png")


@click.command()
@click.argument("target", metavar="FILE:MODEL", shell_complete=targets)
@click.argument("names", metavar="NAME[OPTIONS][,NAME...]")
@click.argument("more", nargs=-1, metavar="")
@click.option("-s", "sizes", multiple=True, metavar="SIZE=NUMBER ...", help="Sizes of inputs; else formulas are shown.")
@click.option("-D", "statics", multiple=True, metavar="NAME=VALUE", help="A static, where MODEL is a block.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; its schema is analysis.schema.json of the package.")
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A page, OUT.html, bars, OUT.svg, or curves, OUT.png (matplotlib).",
)
@click.option("--weights", type=WEIGHTS, metavar="PATH", help=f"{CHECKPOINT} Else weights as they start.")
@click.option("--map", "map_", type=FILE, help="How the checkpoint names the weights: TOML.")
@DATA
@LOSS
@click.option(
    "--coordinate-check", "widths", metavar="64,128,...", help="With `mup`: train at these widths, and compare."
)
@click.option("--steps", type=click.IntRange(1), default=4, show_default=True, help="Of the coordinate check.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Of the coordinate check.")
@click.option("--strict", is_flag=True, help="Leave with 1 where there is a warning, or anything unknown.")
@FORCE
@EXTERN
def command(
    target: str, names: str, more: tuple[str, ...], sizes: tuple[str, ...], statics: tuple[str, ...], as_json: bool,
    out: Path | None, weights: Path | None, map_: Path | None, data: Path | None, loss: str | None,
    widths: str | None, steps: int, seeds: int, strict: bool, force: bool, allow_extern: bool,
) -> None:  # fmt: skip
    """Say what the graph of a model knows. An operation without a rule is listed as unknown, never left out.

    \b
    Analyses:
      cost[dtype=f32]                        parameters, FLOPs, memory, by block
      features                               numbers for predictors of performance, and the graph that they read
      groups                                 coupled channels, and which may be pruned
      coordinate_check[width=d, widths=[..]] whether `mup` holds: trains at several widths
      criticality[c_w=..., c_b=...]          variances and gradients of a fresh model by layer; critical C_W, C_b
      kernel[c_w=..., scale_prior="..."]     NNGP and NTK of infinite width on given data; empirical=true beside
      moe_scale[width=d, experts=experts]    weights of mixtures of experts as widths and experts grow
      muon[width=d, base=64]                 matrices for Muon, and the spectral norm of their steps
      mup[width=d, base=64, optimizer=adam]  roles of weights as a width grows: starts, multipliers, rates
      similarity                             a hash of the graph without names; two models: ogive diff --score
      bounds[eps=..., method=crown]          what outputs can be while inputs are within eps of the data (of 0 without);
                                             method: ibp, crown, alpha, bab; low, high: ends of inputs; input: one input
                                             or weight; property="y[0, 1] > y[0, 2]": verified, falsified or unknown
      lipschitz[eps=...]                     the most that outputs move for a step of the inputs, everywhere or in a box
    \b
    On data (--data, --loss, --weights):
      collapse                               how near the last layer is to neural collapse
      degeneracy                             directions of weights that data do not see, ReLUs that fire together
      expansion_score[damping=1e-8]          how much a step could lower the loss, by layer
      guidance[guide="FILE:MODEL"]           CKA with the layers of a guide, and the loss of it
      inductive_bias[target=0.1]             bits that an architecture lacks of what generalizes
      prune_regimes[other="FILE"]            barrier of the loss between two sets of weights, and how alike they are
    \b
    Examples:
      ogive analyze gpt2.arch:GPT2 cost                 formulas in the sizes of the inputs
      ogive analyze gpt2.arch:GPT2 cost -s b=1 n=1024   numbers
      ogive analyze gpt2.arch:GPT2 "cost[dtype=bf16]" -s b=1 n=1024 --json
      ogive analyze gpt2.arch:GPT2 cost -s b=1 n=1024 -o cost.html
      ogive analyze mlp.arch:Tiny "criticality[c_w=2.0]"
      ogive analyze gpt2.arch:Tiny "mup[width=d, base=8]" --coordinate-check 64,128,256
      ogive analyze mlp.arch:Tiny 'bounds[eps=0.1, method=bab, property="y > -1"]' -s b=1
    \b
    Exit status: 0 done; 1 refused, or with --strict a warning or something unknown; 2 used wrongly.
    """
    if out is not None and out.suffix not in FORMATS:
        raise click.UsageError(f"`{out}`: a report ends in {', '.join(FORMATS)}")
    path, name = split_target(target)
    with progress(f"Analyzing {target}"):
        model = one_model_of(path, name, once(map(setting, statics)), allow_extern)
        try:
            state = None if weights is None else model.load_weights(weights, map_)
            numbers = sizes_for(model, path, once(map(size_number, sizes + more)))
            asked = [names] if widths is None else [_checked_widths(names, widths, steps, seeds)]
            found = analyses_of(model, asked, numbers, weights=state, data=tensors(data), loss=loss)
        except WrongArgument as error:
            raise click.UsageError(error.diagnostics[0].message) from None
        if out is not None:
            stamp = model.origin.stamp.by("analyze")
            made = stamp.signed(_report(found, out), out.suffix[1:])
            write({OutputFile(out, stamp): made}, model.inputs, force)
    if as_json:
        click.echo(_json(found))
    elif out is None:
        click.echo("\n".join(result.text() for result in found), nl=False)
    else:
        click.echo(f"wrote {out}")
    if strict and any(result.warnings or result.unknown for result in found):
        sys.exit(1)


def _checked_widths(names: str, widths: str, steps: int, seeds: int) -> PassCall:
    """The coordinate check of the options of `mup`."""
    try:
        calls = calls_of(names, "analyses", "mup[width=d]")
        numbers = tuple(map(int, widths.split(",")))
    except (PassError, ValueError):
        raise click.UsageError(f"--coordinate-check takes widths as 64,128, and `mup[width=...]`: `{widths}`") from None
    if [call.name for call in calls] != ["mup"]:
        raise click.UsageError("--coordinate-check goes with `mup[width=...]` alone")
    return PassCall("coordinate_check", (*calls[0].options, ("widths", numbers), ("steps", steps), ("seeds", seeds)))


def _json(found: list[AnalysisResult]) -> str:
    plain = [result.json() for result in found]
    return json.dumps(plain[0] if len(plain) == 1 else plain, indent=2, ensure_ascii=False)


def _report(found: list[AnalysisResult], out: Path) -> bytes:
    if out.suffix == ".html":
        return chart_html(found).encode()
    if len(found) > 1:
        raise click.UsageError(f"`{out}`: a picture is of one analysis, not of {len(found)}")
    try:
        if out.suffix == ".svg":
            return chart_svg(found[0]).encode()
        with needs("plot"):
            from ogive.backends.analysis.plot import plotted

            return plotted(found[0])
    except NoNumbersError as error:
        raise click.UsageError(f"`{out}`: {error}") from None
