"""`ogive import`: a module of PyTorch as a program, compared with its source."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ogive.cli.common import FORCE, listed, progress

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ogive.imported import Imported

_INPUT = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<elem>f32|i64|bool)\[(?P<axes>[^\]]*)\]")
_FREE = (3, 5, 7, 4, 6)  # sizes of axes without a number


@click.command()
@click.argument("source")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="x=f32[b=2,3,h=64,w=64]",
    help="An input; NAME=NUMBER is a free size.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="OUT.arch.")
@click.option("--name", metavar="NAME", help="Of the model; else that of the factory.")
@click.option("--arg", "arguments", multiple=True, metavar="KEY=LITERAL", help="An argument of the factory.")
@click.option("--only", metavar="PATH", help="One submodule; the inputs are its own.")
@click.option("--train", is_flag=True, help="Trace the module in the mode it is in; else as it is when used.")
@click.option("--no-verify", is_flag=True, help="Compare nothing.")
@click.option(
    "--strict", is_flag=True, help="Refuse what has no operation; else the module that holds it stays itself."
)
@click.option("-s", "--size", "numbers", multiple=True, metavar="NAME=NUMBER", help="ONNX: a size while it is traced.")
@FORCE
def command(
    source: str,
    inputs: tuple[str, ...],
    output: Path,
    name: str | None,
    arguments: tuple[str, ...],
    only: str | None,
    train: bool,
    no_verify: bool,
    strict: bool,
    numbers: tuple[str, ...],
    force: bool,
) -> None:
    """Write the program of SOURCE: a function in a package or a file that gives a torch module, or a graph of ONNX.

    SOURCE is package.module:factory or ./file.py:factory, whose Python runs: import what you trust; or FILE.onnx.
    OUT.arch gets the program, OUT.safetensors its weights, OUT.map.toml the names that they had, OUT.report.json what
    was found. The program is compared with its source, outputs and gradients, at several sizes. Modules with something
    that has no operation here stay themselves, as `extern` blocks of OUT_extern.py.

    \b
    Examples:
      ogive import torchvision.models:resnet18 -i "x=f32[b=2,3,h=64,w=96]" -o resnet18.arch
      ogive import ./net.py:Net --arg width=64 -i "x=f32[b=2,64]" -o net.arch
      ogive import net.onnx -o net.arch
    """  # fmt: skip
    # it brings torch, which a refused command line does not need
    if Path(source).is_dir():
        raise click.UsageError(
            f"`{source}` is a folder: weights alone say nothing of what is computed; give package.module:factory"
        )
    if source.endswith(".onnx"):
        _graph(Path(source), output, name, numbers, any((inputs, arguments, only, train)), no_verify, force)
        return
    if numbers:
        raise click.UsageError("-s is for graphs of ONNX; write the number at the axis: -i x=f32[b=2,3]")
    path, colon, factory = source.rpartition(":")
    if not colon or not factory.isidentifier():
        raise click.UsageError(f"`{source}` is neither package.module:factory nor ./file.py:factory")
    wanted = [_input(text) for text in inputs]
    if output.suffix != ".arch":
        raise click.UsageError(f"`{output}`: the program goes to a file that ends in .arch")
    settings = dict(_argument(text) for text in arguments)
    click.echo(f"running {path}", err=True)
    with progress("Importing"):
        from ogive.imported import SourceFactory, from_torch

        module = _made(path, factory, settings)
        if only is not None:
            try:
                module = module.get_submodule(only)
            except AttributeError:
                raise click.UsageError(f"`{factory}` has no submodule `{only}`") from None
        if not train:
            module.eval()
        kwargs = {each: _tensor(elem, axes) for each, elem, axes in wanted}
        sizes: dict[str, list[str | int | None]] = {each: [axis for axis, _ in axes] for each, _, axes in wanted}
        title = name or "".join(part[:1].upper() + part[1:] for part in factory.split("_"))
        imported = from_torch(
            module, (), kwargs, sizes, title, verify=not no_verify, strict=strict,
            origin=f"Imported from {source} by ogive import.",
        )  # fmt: skip
        imported.made_by = SourceFactory(path, factory, settings, only or "", train)
        files = imported.save(output, force=force)
    _said(imported, files)


def _said(imported: Imported, files: tuple[Path, ...]) -> None:
    for part in imported.externs:
        click.echo(f"`{part.path}` ({part.kind}) stays a module of the source: {part.reason}")
    for fixed in imported.report["fixed"]:
        where = f" ({fixed['source_line']})" if fixed["source_line"] else ""
        click.echo(f"the source fixes {fixed['size']} = {fixed['value']}{where}")
    click.echo(f"compared: {imported.verified}" if imported.verified is not None else "nothing was compared")
    click.echo(f"wrote {listed(files)}")


def _graph(
    path: Path, output: Path, name: str | None, numbers: tuple[str, ...], foreign: bool, no_verify: bool, force: bool
) -> None:
    """Import a graph of ONNX."""
    if foreign:
        raise click.UsageError("-i, --arg, --only and --train are for modules of torch; a graph says its inputs itself")
    if not path.is_file():
        raise click.UsageError(f"there is no file `{path}`")
    if output.suffix != ".arch":
        raise click.UsageError(f"`{output}`: the program goes to a file that ends in .arch")
    sizes = {}
    for text in numbers:
        key, equals, number = text.partition("=")
        if not equals or not key.isidentifier() or not number.isdigit() or int(number) < 2:
            raise click.UsageError(f"`{text}` is no NAME=NUMBER, 2 or more")
        sizes[key] = int(number)
    from ogive.imported_onnx import from_onnx

    title = name or "".join(part[:1].upper() + part[1:] for part in re.split(r"\W|_", path.stem) if part)
    title = title if title.isidentifier() else f"Net{title}"
    with progress("Importing"):
        imported = from_onnx(path, title, sizes, verify=not no_verify)
        files = imported.save(output, force=force)
    _said(imported, files)


def _input(text: str) -> tuple[str, str, list[tuple[str | int, int]]]:
    """`x=f32[b=2,3]`: the name, the elements, and for each axis its name or number, and its size in the trace."""
    found = _INPUT.fullmatch(text.replace(" ", ""))
    if found is None:
        raise click.UsageError(f"`{text}` is no input: write NAME=f32[b=2,3,h=64,w=64], with f32, i64 or bool")
    axes: list[tuple[str | int, int]] = []
    for part in filter(None, found["axes"].split(",")):
        label, equals, size = part.partition("=")
        if part.isdigit():
            axes.append((int(part), int(part)))
        elif label.isidentifier() and (not equals or (size.isdigit() and int(size) >= 2)):
            known = next((number for each, number in axes if each == label), None)
            axes.append((label, int(size) if equals else known or _FREE[len(axes) % len(_FREE)]))
        else:
            raise click.UsageError(f"`{part}` is no axis: NUMBER, NAME or NAME=NUMBER, 2 or more")
    return found["name"], found["elem"], axes


def _argument(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    try:
        if equals and key.isidentifier():
            return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        pass
    raise click.UsageError(f"`{text}` is not KEY=LITERAL")


def _tensor(elem: str, axes: list[tuple[str | int, int]]) -> Tensor:
    import torch

    shape = [size for _, size in axes]
    if elem == "f32":
        return torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return torch.zeros(shape, dtype=torch.int64) if elem == "i64" else torch.ones(shape, dtype=torch.bool)


def _made(path: str, factory: str, settings: dict[str, Any]) -> nn.Module:
    """What the factory gives. Raises `click.UsageError` where it gives no module."""
    from torch import nn

    if path.endswith(".py"):
        if not Path(path).is_file():
            raise click.UsageError(f"there is no file `{path}`")
        spec = importlib.util.spec_from_file_location(Path(path).stem, path)
        assert spec is not None
        assert spec.loader is not None
        held = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = held
        try:
            spec.loader.exec_module(held)
        except Exception as error:  # whatever the user's own code may raise
            raise click.UsageError(f"`{path}` does not run: {_told(error)}") from None
    else:
        try:
            held = importlib.import_module(path)
        except ModuleNotFoundError as error:
            raise click.UsageError(f"`{path}` is not imported: {error}") from None
    made = getattr(held, factory, None)
    if made is None:
        raise click.UsageError(f"`{path}` has no `{factory}`")
    try:
        module = made(**settings)
    except TypeError as error:
        raise click.UsageError(
            f"`{factory}` is not made so: {error}; what needs a configuration is made by a factory of yours"
        ) from None
    except Exception as error:  # whatever the user's own code may raise
        raise click.UsageError(f"`{factory}` fails: {_told(error)}") from None
    if not isinstance(module, nn.Module):
        raise click.UsageError(f"`{factory}` gives a {type(module).__name__}, not a torch module")
    return module


def _told(error: Exception) -> str:
    """What a file of the user's raised, and in which of its lines."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}{place}"
