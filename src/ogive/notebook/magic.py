"""`%load_ext ogive` and `%%arch`."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import register_cell_magic
from IPython.display import display

from ogive.api import Program
from ogive.compiler.driver.workspace import Workspace
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.files import as_read
from ogive.grammar.render import render

MODULES = ("torch.nn.modules.module", "Module")


def load(shell: Any) -> None:
    """Teach a shell of IPython the cell `%%arch`, and how modules are shown."""
    workspace = Workspace()

    def arch(line: str, cell: str) -> None:
        """`%%arch [NAME]`: check a program, and define its models and blocks; NAME is the program itself.

        Errors are shown with their lines, and then nothing is defined.
        """
        program = checked(workspace, cell, line.strip() or "cell")
        if isinstance(program, str):
            print(program)
            return
        names = {**program.blocks, **program.models}
        shell.push({name: each for name, each in names.items() if name.isidentifier()})
        if line.strip():
            shell.push({line.strip(): program})
        display(program)  # type: ignore[no-untyped-call]

    register_cell_magic(arch)
    from ogive.notebook.views import module_view

    shell.display_formatter.formatters["text/html"].for_type_by_name(*MODULES, module_view)


def checked(workspace: Workspace, text: str, name: str) -> Program | str:
    """The program of a cell, or what is wrong with it, in colour."""
    if not name.isidentifier():
        return f"`{name}` is no name: write `%%arch` or `%%arch NAME`"
    path = f"<{name}>"
    source = as_read(text, path)
    if isinstance(source, Diagnostic):
        return render((source,), color=True)
    found = workspace.check(source, path)
    if not found.ok:
        return render([each for each in found.diagnostics if each.severity == "error"], color=True)
    return Program(found)
