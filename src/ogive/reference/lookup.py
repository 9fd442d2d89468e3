"""What is known of a name: a code, an operation, a block of the library, a word of the language or of a peer."""

from __future__ import annotations

from collections.abc import Iterator

from ogive import stdlib
from ogive.codes import CodeSection, sections, successors
from ogive.compiler.elaborate.modules.foreign_names import MEANT, PREFIXES
from ogive.compiler.elaborate.modules.suggest import of_peer
from ogive.compiler.elaborate.rules.builtins import BUILTINS
from ogive.compiler.elaborate.rules.forms import FORMS
from ogive.compiler.elaborate.state.initializer_table import INITIALIZERS, MEANS, RANDOM
from ogive.compiler.ops import NAMED
from ogive.compiler.ops.signature import value
from ogive.grammar.spelling import nearest
from ogive.reference import library, operations


def explained(name: str) -> str | None:
    """What there is to say of a name, in Markdown; None where it means nothing."""
    said = [*_code(name.upper()), *_word(name), *_library(name)]
    return "\n\n".join(said) if said else _peer(name)


def names() -> list[str]:
    """Every name that is explained, but for those of peers."""
    blocks = [each for part in library.parts().values() for each in part.entries]
    known = [*sections(), *NAMED, *FORMS, *BUILTINS, *INITIALIZERS, *stdlib.names()]
    known += [*(each.name for each in blocks), *(f"{each.module}.{each.name}" for each in blocks)]
    return list(dict.fromkeys(known))


def near(name: str) -> list[str]:
    """Names that are close to one that means nothing."""
    return nearest(name, names())


def _code(name: str) -> Iterator[str]:
    section = sections().get(name)
    if section is not None:
        yield f"{section.code}: {section.title}\n\n{section.text}"
        yield from _split(section)


def _split(section: CodeSection) -> Iterator[str]:
    later = successors().get(section.code)
    if later is not None:
        rows = "\n".join(f"  {each}  {sections()[each].title}" for each in later)
        yield f"{section.code} was split; what it also meant before:\n{rows}"


def _word(name: str) -> Iterator[str]:
    spec = operations.named(name)
    if spec is not None:
        yield f"{spec.name}: an operation\n\n{operations.entry(spec).strip()}"
    if name in FORMS:
        form = FORMS[name]
        yield f"{name}: a form\n\n```text\n{form.written}\n```\n\n{form.means}\n\n```arch\n{form.example}```"
    if name in BUILTINS:
        written, means = BUILTINS[name].told
        yield f"{name}: a function of compile time\n\n```text\n{written}\n```\n\n{means}"
    if name in INITIALIZERS:
        yield f"{name}: an initializer\n\n```text\nparam w: [n, d] = {initializer(name)}\n```\n\n{MEANS[name]}"


def initializer(name: str) -> str:
    """An initializer with its settings."""
    settings = [key if default is None else f"{key}={value(default)}" for key, default in INITIALIZERS[name]]
    settings += ["seed"] * (name in RANDOM)
    return f"{name}[{', '.join(settings)}]" if settings else name


def _library(name: str) -> Iterator[str]:
    for each in library.found(name):
        kind = "a block" if each.block else "a rule"
        yield f"{each.module}.{each.name}: {kind} of the library\n\n{library.entry(each).strip()}"
    part = library.parts().get(name)
    if part is not None:
        rows = "\n".join(f"- `{each.head.splitlines()[0]}`" for each in part.entries)
        yield f"{name}: a module of the library\n\n{part.about}\n\n{rows}"


def _peer(name: str) -> str | None:
    """What a name of PyTorch, numpy or einops is here: `torch.cat`."""
    *before, last = name.split(".")
    if before and before[0] not in PREFIXES and before[0] not in ("x", "self", "Tensor"):
        return None
    found = of_peer(last) if before else MEANT.get(last, "")
    return f"{name} is a name of another library. Here: {found}" if found else None
