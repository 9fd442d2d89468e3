"""Mistakes of whole lines: headers, bodies, declarations. Each recognizer explains a place, or answers None."""

from __future__ import annotations

import re

from ogive.grammar.diagnostics import Diagnostic, Edit
from ogive.grammar.scene import LAYOUT, Scene
from ogive.grammar.source import Span

# Words that lead a statement in Python, and what does their work here.
FOREIGN = {
    "def": "write `block name[sizes](x: [b, d]) -> [b, d]:`",
    "class": "write `block Name[sizes](x: [b, d]) -> [b, d]:`; its weights are made where they are used",
    "import": "write `use std.nn (Linear)`, or `use ./file (Name)` for a file beside this one",
    "from": "write `use std.nn (Linear)`, or `use ./file (Name)` for a file beside this one",
    "while": "write `repeat n:` for fresh weights each iteration, `scan x_t in x along n carry h = h0:` along an axis",
    "with": "a phase is asked with `if training:`; no gradient flows through `stop_gradient(x)`",
    "try": "what can go wrong is checked before the program runs",
    "except": "what can go wrong is checked before the program runs",
    "finally": "what can go wrong is checked before the program runs",
    "raise": "write `require c` for sizes, `assume c` where no proof exists",
    "assert": "write `require c` for sizes, `assume c` where no proof exists",
    "del": "leave it out: a name is bound again, or is no longer used",
    "global": "hand the value in as an input or a static",
    "nonlocal": "hand the value in as an input or a static",
    "async": "leave it out",
    "await": "leave it out",
    "let": "write `name = value`",
    "var": "write `name = value`",
    "fn": "write `block name[sizes](x: [b, d]) -> [b, d]:`",
    "function": "write `block name[sizes](x: [b, d]) -> [b, d]:`",
    "elseif": "write `elif c:`",
    "elsif": "write `elif c:`",
}
# lines that import as Python does: from our library, from what is not needed here
IMPORTED = re.compile(r"from (?P<module>std\.\w+|\./[\w/]+) import (?P<names>[\w, ]+)")
PEERS = re.compile(r"(import|from) (torch|numpy|einops|math|jax|typing|transformers|flax|tensorflow)\b")
USED = re.compile(r"use (?P<module>std\.[a-z]\w*)(?: import (?P<names>[\w, ]+)|\.(?P<last>[A-Za-z]\w*))")
DEFINED = re.compile(r"def (?P<name>\w+)\((?P<inputs>[^()]*)\)")
INPUT = re.compile(r"\w+: (\w*\[[^\]]*\])")
_HEADERS = frozenset(["if", "elif", "else", "for", "repeat", "scan"])
_DECLARING = frozenset(["use", "const", "block", "model", "extern", "recipe"])
DECLARATIONS = "`use`, `const`, `block`, `model`, `extern block` or `recipe`"


def unclosed(scene: Scene) -> Diagnostic | None:
    """A line that cannot go on inside a bracket which is never closed."""
    open_ = scene.open_brackets()
    if not open_ or not scene.starts_line():
        return None
    opener = scene.tokens[open_[-1]][1]
    for fault in scene.found.faults.values():
        if fault.message.endswith("is never closed") and fault.labels[0].span.start == opener:
            return Diagnostic(fault.code, fault.message, scene.after(), labels=fault.labels, help=fault.help)
    return None


def foreign_word(scene: Scene) -> Diagnostic | None:
    """`def`, `class`, `import`, `while`..."""
    line = scene.line
    word = scene.lead
    if scene.tokens[line][0] == "@" and scene.i == line:
        return scene.fault("there are no decorators", "leave it out", span=scene.at(line))
    if (
        word not in FOREIGN
        or scene.tokens[line][0] != "NAME"
        or (scene.i > line and scene.text(line + 1) in ("=", ","))
    ):
        return None
    if word == "class" and scene.open_brackets():
        return None
    help_, edits = _in_our_words(scene, word)
    return scene.fault(f"there is no `{word}`", help_ or FOREIGN[word], span=scene.at(line), edits=edits)


def _in_our_words(scene: Scene, word: str) -> tuple[str, tuple[Edit, ...]]:
    """What a line that begins with a word of Python is here, where that is certain."""
    at = scene.at(scene.line)
    end = at.chunk.text.find("\n", at.start)
    end = len(at.chunk.text) if end < 0 else end
    line = Span(at.chunk, at.start, end)
    if (names := IMPORTED.fullmatch(line.text.strip())) is not None and names["names"]:
        text = f"use {names['module']} ({names['names'].strip()})"
        return f"write `{text}`", (Edit(line, text),)
    if word in ("import", "from") and PEERS.match(line.text):
        help_ = "leave the line out: operations need no import, and layers come from the library: `use std.nn (Linear)`"
        return help_, (Edit(Span(at.chunk, at.start, min(end + 1, len(at.chunk.text))), ""),)
    if word == "def" and "->" in line.text and "[" in line.text:
        return "", (Edit(at, "block"),)
    if word == "def" and (found := DEFINED.match(line.text)) is not None:
        given = [part.partition("=")[0].partition(":")[0].strip() for part in found["inputs"].split(",")]
        inputs = ", ".join(f"{name}: [...]" for name in given if name.isidentifier() and name != "self")
        return f"write `block {found['name']}[sizes]({inputs}) -> [...]:`, each type a list of sizes: `[b, d]`", ()
    if word == "assert" and "," not in line.text:
        return "", (Edit(at, "require"),)
    return "", ()


def no_declaration(scene: Scene) -> Diagnostic | None:
    """Something else than a declaration in the first column."""
    if scene.i == 0:
        return scene.fault("a declaration must stand here", f"one begins with {DECLARATIONS}", span=scene.at(0))
    start = scene.tokens[scene.i][1]
    first = scene.chunk.text[start - 1] == "\n" and scene.previous in ("_NEWLINE", "_DEDENT")
    if scene.expected == ["$END"] or (first and scene.expected != ["_INDENT"] and scene.kind not in LAYOUT):
        help_ = f"indent what belongs to the body; a declaration begins with {DECLARATIONS}"
        return scene.fault("this belongs to no declaration", help_, span=scene.at(scene.i))
    return None


def use_forms(scene: Scene) -> Diagnostic | None:
    """`use std.nn`, `use std.nn import Linear`."""
    if scene.lead != "use":
        return None
    module = scene.text(scene.line + 1) if scene.i > scene.line + 1 else "std.nn"
    if scene.can("MODULE"):
        return scene.fault("a module must stand here", "write `use std.nn (Linear)`")
    at = scene.at(scene.line)
    end = at.chunk.text.find("\n", at.start)
    line = Span(at.chunk, at.start, len(at.chunk.text) if end < 0 else end)
    found = USED.fullmatch(line.text.strip())
    if found is not None:
        names = found["names"] or found["last"]
        text = f"use {found['module']} ({names.strip()})"
        return scene.fault("`use` needs names", f"write `{text}`", edits=(Edit(line, text),))
    return scene.fault("`use` needs names", f"write `use {module} (Name)` or `use {module} as name`")


def outputs_missing(scene: Scene) -> Diagnostic | None:
    """`block A(x: [b]):`."""
    if not scene.can("->") or scene.kind not in (":", "_NEWLINE", "_INDENT") or scene.lead not in ("block", "extern"):
        return None
    types = INPUT.findall(scene.between(scene.line, scene.i))
    shown = types[0] if types else "[b, d]"
    return scene.fault("the outputs are missing", f"write `-> {shown}` before the `:`")


def several_outputs(scene: Scene) -> Diagnostic | None:
    """`-> [b], [c]`."""
    if scene.kind != "," or scene.lead not in ("block", "extern") or scene.open_brackets() or not scene.can(":"):
        return None
    if any(kind == "where" for kind, _, _ in scene.tokens[scene.line : scene.i]):
        return None
    return scene.fault("several outputs stand in parentheses", "write `-> (y: [...], z: [...])`")


def named_single_output(scene: Scene) -> Diagnostic | None:
    """`-> y: [b]`."""
    if scene.kind != ":" or scene.i < 2 or scene.tokens[scene.i - 2][0] != "->":
        return None
    name = scene.text(scene.i - 1)
    return scene.fault(
        "an output with a name stands in parentheses", f"write `-> ({name}: [...])`, or leave the name out"
    )


def input_without_type(scene: Scene) -> Diagnostic | None:
    """`block A(x)`."""
    if scene.kind not in (",", ")") or scene.expected != [":"] or scene.lead not in ("block", "extern"):
        return None
    name = scene.text(scene.i - 1)
    if name == "self":
        until = scene.tokens[scene.i + 1][1] if scene.kind == "," else scene.tokens[scene.i][1]
        edits = (Edit(Span(scene.chunk, scene.tokens[scene.i - 1][1], until), ""),)
        help_ = "leave it out: weights are made in the body"
        return scene.fault("there is no `self`", help_, span=scene.at(scene.i - 1), edits=edits)
    static = f"`{scene.text(scene.line + 1)}[{name}]`"
    help_ = f"write `{name}: [b, n, d]`; a size or a setting is a static, in brackets: {static}"
    return scene.fault(f"the input `{name}` has no type", help_, span=scene.at(scene.i - 1))


def type_without_brackets(scene: Scene) -> Diagnostic | None:
    """`x: Tensor`."""
    previous = scene.tokens[scene.i - 2][0] if scene.i > 1 else ""
    if scene.expected != ["["] or scene.previous != "NAME" or previous not in (":", "->", ",", "("):
        return None
    name = scene.text(scene.i - 1)
    scalar = f"`{name}[]`" if name in ("int", "bool", "complex") else "`[]`"
    help_ = f"write the sizes in brackets: `[b, n, d]`, or {scalar} for a scalar"
    if previous == ":" and scene.text(scene.i - 3) == "training":
        help_ = "leave it out: `if training:` is asked in any block"
    elif name in ("int", "float", "bool", "str") and previous == ":" and scene.open_brackets():
        help_ += f"; a setting is a static: `{scene.text(scene.line + 1)}[{scene.text(scene.i - 3)}: {name}](...)`"
    return scene.fault(f"`{name}` is not a type", help_, span=scene.at(scene.i - 1))


def weight_without_type(scene: Scene) -> Diagnostic | None:
    """`param w = zeros`."""
    if scene.lead not in ("param", "state") or scene.kind != "=" or scene.expected != [":"]:
        return None
    return scene.fault("a weight needs its sizes", f"write `{scene.lead} {scene.text(scene.i - 1)}: [d] = ...`")


def typed_without_value(scene: Scene) -> Diagnostic | None:
    """`y: [b, d]` alone."""
    line = scene.line
    if scene.kind != "_NEWLINE" or scene.tokens[line][0] != "NAME" or scene.tokens[line + 1][0] != ":":
        return None
    return scene.fault("a value is missing", "write `y: [b, d] = e`; a learned tensor is `param y: [d]`")


def without_along(scene: Scene) -> Diagnostic | None:
    """`scan x_t in x:`."""
    if scene.lead != "scan" or scene.kind not in (":", "_NEWLINE") or not scene.can("along"):
        return None
    return scene.fault("`scan` must say along which axis", "write `scan x_t in x along n carry h = h0:`")


def colon_missing(scene: Scene) -> Diagnostic | None:
    """A header without its colon."""
    if not scene.can(":") or scene.kind not in ("_NEWLINE", "_INDENT"):
        return None
    colon = (Edit(scene.after(), ":"),)
    if scene.lead in _HEADERS:
        return scene.fault("a `:` is missing", f"write `:` at the end of the line of `{scene.lead}`", edits=colon)
    if scene.lead in ("block", "recipe"):
        help_ = "write `:` behind the outputs, or behind the conditions of `where`"
        return scene.fault("a `:` is missing before the body", help_, edits=colon)
    return None


def body_missing(scene: Scene) -> Diagnostic | None:
    """No indented line under a header."""
    if scene.expected != ["_INDENT"]:
        return None
    end = scene.tokens[scene.i - 1][1]
    header = scene.chunk.text[scene.chunk.text.rfind("\n", 0, end) + 1 : end].strip()
    word = header.split(None, 1)[0].rstrip(":") if header else "block"
    if scene.kind in ("$END", "_DEDENT"):
        return scene.fault("the body is missing", "write its statements below, indented", span=scene.after())
    help_ = f"indent what belongs to `{word}`"
    return scene.fault("a body must be indented", help_, code="E0102", span=scene.at(scene.i))


def odd_indent(scene: Scene) -> Diagnostic | None:
    """A line indented for no reason."""
    if scene.kind != "_INDENT":
        return None
    start = scene.tokens[scene.i][1]
    line = scene.chunk.text.rfind("\n", 0, start) + 1
    help_ = "indent it like the line above; a line goes on inside brackets, or begins with `|>`, `>>`, `->` or `where`"
    return scene.fault("unexpected indentation", help_, code="E0102", span=scene.at(scene.i).inner(line - start, 0))


def else_if(scene: Scene) -> Diagnostic | None:
    """`else if c:`."""
    if scene.kind != "if" or scene.previous != "else" or scene.line != scene.i - 1:
        return None
    edits = scene.edit(scene.i - 1, scene.i + 1, "elif")
    span = scene.at(scene.i - 1).to(scene.at(scene.i))
    return scene.fault("there is no `else if`", "write `elif c:`", span=span, edits=edits)


def else_alone(scene: Scene) -> Diagnostic | None:
    """`else:` under no `if`."""
    if scene.kind not in ("else", "elif") or scene.line != scene.i:
        return None
    return scene.fault(f"`{scene.kind}` belongs to no `if`", "indent it like its `if`", span=scene.at(scene.i))


def nested_unpacking(scene: Scene) -> Diagnostic | None:
    """`for i, (a, b) in pairs:`."""
    if scene.kind not in ("(", "[") or scene.previous not in ("for", ",") or scene.expected != ["NAME"]:
        return None
    return scene.fault("names are unpacked one level at a time", "write `for i, pair in ...:`, then `a, b = pair`")


def misplaced_word(scene: Scene) -> Diagnostic | None:
    """A declaration in a body, or a loop behind another's colon."""
    if scene.kind in _DECLARING and scene.line == scene.i:
        message = f"`{scene.kind}` stands in the first column"
        return scene.fault(message, "declarations do not nest: write it outside of the body", span=scene.at(scene.i))
    if scene.kind in _HEADERS and scene.previous == ":":
        help_ = f"write `{scene.kind}` on the line below, indented"
        return scene.fault(f"`{scene.kind}` starts a line of its own", help_, span=scene.at(scene.i))
    return None


def return_nothing(scene: Scene) -> Diagnostic | None:
    """`return` alone."""
    if scene.previous != "return" or scene.kind not in LAYOUT:
        return None
    return scene.fault("`return` needs a value", "write `return x`", span=scene.at(scene.i - 1))


def binding_words(scene: Scene) -> Diagnostic | None:
    """`yield e`, `tap e`, `update e`."""
    if scene.lead not in ("yield", "tap", "update") or scene.expected not in (["="], ["NAME"]):
        return None
    return scene.fault(f"`{scene.lead}` needs a name", f"write `{scene.lead} name = ...`")


def chained_binding(scene: Scene) -> Diagnostic | None:
    """`a = b = c`."""
    if scene.kind != "=" or scene.open_brackets():
        return None
    if not any(kind == "=" for kind, _, _ in scene.tokens[scene.line : scene.i]):
        return None
    return scene.fault("one `=` a statement", "to compare, write `==`; to bind two names, write two lines")
