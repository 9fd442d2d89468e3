"""Forms of other languages: what a line of Python, PyTorch, Rust or C is here. Each recognizer may answer None."""

from __future__ import annotations

from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.scene import LAYOUT, OPERAND_END, Scene
from ogive.grammar.spelling import nearest

_BLOCKS = ("block", "extern")
_BODIES = ("block", "if", "elif", "else", "for", "repeat", "scan")
DECLARING = ("use", "const", "block", "model", "extern", "recipe")


def where_function(scene: Scene) -> Diagnostic | None:
    """`where(c, a, b)` and `torch.where(c, a, b)`."""
    if scene.kind != "where" or scene.i + 1 >= len(scene.tokens) or scene.tokens[scene.i + 1][0] != "(":
        return None
    if scene.previous in OPERAND_END or scene.previous in LAYOUT:
        return None
    first = scene.i - 2 if scene.previous == "." and scene.text(scene.i - 2) in ("torch", "np", "jnp", "F") else scene.i
    edits = scene.edit(first, scene.i + 1, "select") if first < scene.i or scene.previous != "." else ()
    return scene.fault("`where` states conditions", "`select(c, a, b)` chooses element by element", edits=edits)


def where_in_body(scene: Scene) -> Diagnostic | None:
    """`where` below the `:` of the header."""
    if (
        scene.kind != "where"
        or scene.previous not in (*LAYOUT, ":")
        or (not scene.can("NAME") and not scene.can("_INDENT"))
    ):
        return None
    help_ = "write it before the `:` that ends the header, or `require ...` in the body"
    return scene.fault("`where` belongs to the header of a block", help_, span=scene.at(scene.i))


def where_nothing(scene: Scene) -> Diagnostic | None:
    """`where:`."""
    if scene.previous != "where" or scene.kind not in (":", *LAYOUT):
        return None
    return scene.fault("`where` needs a condition", "write `where d % heads == 0`")


def unfinished_where(scene: Scene) -> Diagnostic | None:
    """`where a > 2,` and the next condition on a line of its own."""
    if scene.previous != "," or scene.kind not in LAYOUT or scene.open_brackets():
        return None
    if not any(kind == "where" for kind, _, _ in scene.tokens[scene.line : scene.i]):
        return None
    return scene.fault("a condition is missing after `,`", "write all conditions on one line", span=scene.after())


def type_in_parentheses(scene: Scene) -> Diagnostic | None:
    """`x: (b, d)`."""
    if scene.kind != "(" or scene.expected != ["NAME", "["] or scene.previous not in (":", "->", "("):
        return None
    return scene.fault("a type is a list of sizes in brackets", "write `[b, d]`")


def arrow(scene: Scene) -> Diagnostic | None:
    """`block F(x: [b]) => [b]:`, `block F(x: [b]) [b]:`."""
    if scene.lead not in _BLOCKS or scene.expected != ["->"] or scene.kind in (":", *LAYOUT):
        return None
    double = scene.kind == "=" and scene.text(scene.i + 1) == ">"
    edits = scene.edit(scene.i, scene.i + 2, "->") if double else ()
    return scene.fault("the outputs stand behind `->`", "write `-> [b, d]`", edits=edits)


def input_default(scene: Scene) -> Diagnostic | None:
    """`block F(x: [b] = none)`."""
    if scene.kind != "=" or scene.lead not in _BLOCKS or not scene.open_brackets():
        return None
    if scene.tokens[scene.open_brackets()[-1]][0] != "(":
        return None
    if scene.previous == "NAME" and scene.tokens[scene.i - 2][0] in ("(", ","):
        static = f"`{scene.text(scene.line + 1)}[{scene.text(scene.i - 1)}={scene.text(scene.i + 1)}]`"
        return scene.fault("an input has no default", f"a size or a setting is a static, in brackets: {static}")
    return scene.fault("an input has no default", "a `?` behind the type makes it optional: `mask: bool[b, n]?`")


def colon_of_input(scene: Scene) -> Diagnostic | None:
    """`block F(x [b])`."""
    if scene.kind != "[" or scene.expected != [":"] or scene.lead not in _BLOCKS or scene.previous != "NAME":
        return None
    return scene.fault("a `:` is missing", f"write `{scene.text(scene.i - 1)}: [...]`")


def angle_brackets(scene: Scene) -> Diagnostic | None:
    """`block F<d>(x: [b, d])`."""
    if scene.kind != "<" or scene.lead not in _BLOCKS or scene.open_brackets():
        return None
    return scene.fault("statics stand in brackets", f"write `{scene.text(scene.i - 1)}[...]`")


def braces_of_body(scene: Scene) -> Diagnostic | None:
    """`if c {`."""
    if scene.kind != "{" or scene.open_brackets() or scene.lead not in _BODIES or scene.previous in ("in", "="):
        return None
    return scene.fault("a body stands in no braces", "end the header with `:`, and indent the lines below it")


def model_call(scene: Scene) -> Diagnostic | None:
    """`model M(d=3)`."""
    if scene.lead != "model" or scene.kind not in ("(", "[", ":", "_NEWLINE") or scene.expected != ["="]:
        return None
    return scene.fault("a model is a block with its statics", f"write `model {scene.text(scene.i - 1)} = Block[...]`")


def top_level(scene: Scene) -> Diagnostic | None:
    """`M = F[d=3]` or `Block F(...)` in the first column."""
    if scene.tokens[scene.i][0] != "NAME":
        return None
    first = scene.i == 0 or (scene.previous in LAYOUT and scene.chunk.text[scene.tokens[scene.i][1] - 1] == "\n")
    if not first or scene.i + 1 >= len(scene.tokens):
        return None
    word, after = scene.text(scene.i), scene.tokens[scene.i + 1][0]
    if after == "=":
        help_ = f"write `model {word} = ...` for a block with its statics, `const {word} = ...` for a value"
        return scene.fault("a name is bound outside of a block", help_, span=scene.at(scene.i))
    close = nearest(word.lower(), DECLARING, 1, 0.7)
    if after == "NAME" and close:
        return scene.fault(f"there is no `{word}`", f"did you mean `{close[0]}`?", span=scene.at(scene.i))
    return None


def param_as_value(scene: Scene) -> Diagnostic | None:
    """`w = param[d]`."""
    if scene.kind not in ("param", "state") or scene.previous not in ("=", "(", ",", "["):
        return None
    name = scene.lead if scene.previous == "=" and scene.line == scene.i - 2 else "w"
    help_ = f"write `{scene.kind} {name}: [...] = zeros` on a line of its own"
    return scene.fault(f"`{scene.kind}` declares a weight: it is no value", help_, span=scene.at(scene.i))


def dots(scene: Scene) -> Diagnostic | None:
    """`0..3`."""
    if scene.kind != "NUMBER" or not scene.text(scene.i).startswith(".") or not scene.text(scene.i - 1).endswith("."):
        return None
    start, stop = scene.text(scene.i - 1).rstrip("."), scene.text(scene.i).lstrip(".")
    return scene.fault("there is no `..`", f"write `range({start or 0}, {stop})`", span=scene.at(scene.i))


def repeat_words(scene: Scene) -> Diagnostic | None:
    """`repeat 3 times:`, `if c then:`."""
    word = scene.text(scene.i)
    if scene.lead == "repeat" and word == "times" and scene.previous in OPERAND_END:
        return scene.fault("`times` is not said", f"write `repeat {scene.text(scene.i - 1)}:`", span=scene.at(scene.i))
    if scene.lead in ("if", "elif") and word == "then" and scene.previous in OPERAND_END:
        return scene.fault("`then` is not said", "write `:`", span=scene.at(scene.i))
    return None


def bar(scene: Scene) -> Diagnostic | None:
    """`x | f`, `a || b`."""
    if scene.kind != "|":
        return None
    if scene.text(scene.i + 1) == "|" or scene.previous == "|":
        return scene.fault("there is no `||`", "write `or`", span=scene.at(scene.i))
    return scene.fault("there is no `|`", "`x |> f` applies f, `or` joins conditions", span=scene.at(scene.i))


def question(scene: Scene) -> Diagnostic | None:
    """`c ? a : b`."""
    if scene.kind != "?" or scene.lead in _BLOCKS:
        return None
    return scene.fault("there is no `?`", "write `a if c else b`", span=scene.at(scene.i))


def arrow_in_body(scene: Scene) -> Diagnostic | None:
    """`x -> relu`."""
    if scene.kind != "->" or scene.lead in _BLOCKS or scene.previous not in OPERAND_END:
        return None
    return scene.fault("`->` stands before the outputs of a block", "`x |> f` applies f")


def walrus(scene: Scene) -> Diagnostic | None:
    """`y := x`."""
    if scene.kind != "=" or scene.previous != ":" or scene.i < 2 or scene.line != scene.i - 2:
        return None
    return scene.fault("a name is bound by `=`", f"write `{scene.text(scene.line)} = ...`", span=scene.at(scene.i))
