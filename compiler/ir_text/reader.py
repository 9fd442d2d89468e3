"""Reads the text that `printer` writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ogive.compiler.ir.model import (
    STRUCTURES,
    Attrs,
    Bindings,
    Const,
    Definition,
    Graph,
    Init,
    Instance,
    Loop,
    Member,
    Model,
    Node,
    Operand,
    Static,
    Structure,
    Value,
    Weight,
)
from ogive.compiler.ir_text.printer import implied
from ogive.compiler.ir_text.text_values import UnknownNames, split_top
from ogive.compiler.sizes import Condition, Size, Unknown

NODE = re.compile(r"(?P<op>\w+)(?: (?P<path>[^\s<\[(]+))?(?: <(?P<callee>[\w']+)\{(?P<bound>[^>]*)\}>)?(?P<rest>.*)")
LINE = re.compile(r"(?P<indent> *)(?P<text>.*)")


class NotIR(ValueError):
    """The text is no IR."""


@dataclass(slots=True)
class TextLine:
    """A line and those that are indented under it."""

    text: str
    below: list[TextLine] = field(default_factory=list)


def read(text: str) -> Model:
    """The model that a text describes."""
    found: dict[str, tuple[Definition, dict[str, Unknown]]] = {}
    for line in _tree(text):
        if line.text.startswith("definition "):
            definition, unknowns = _IRReader(found).definition(line)
            found[definition.name] = definition, unknowns
        elif line.text.startswith("model "):
            return _model(line, found)
        else:
            raise NotIR(f"neither a definition nor a model: {line.text}")
    raise NotIR("no model")


def _tree(text: str) -> list[TextLine]:
    root: list[TextLine] = []
    stack: list[tuple[int, list[TextLine]]] = [(-1, root)]
    for raw in text.splitlines():
        if not raw.strip():
            continue
        indent = len(raw) - len(raw.lstrip(" "))
        while stack[-1][0] >= indent:
            stack.pop()
        line = TextLine(raw.strip())
        stack[-1][1].append(line)
        stack.append((indent, line.below))
    return root


Known = Mapping[str, tuple[Definition, dict[str, Unknown]]]


def _model(line: TextLine, known: Known) -> Model:
    match = re.fullmatch(r"model (\S+) = (\S+?)\((.*)\)", line.text)
    if match is None or match[2] not in known:
        raise NotIR(line.text)
    definition, unknowns = known[match[2]]
    reader = _IRReader(known, unknowns)
    settings = [pair.split("=") for pair in split_top(match[3])]
    conditions = tuple(reader.names.condition(x.text[6:]) for x in line.below if x.text.startswith("where "))
    inits = tuple(_keyed(reader.init(x)) for x in line.below if x.text.startswith("init "))
    doc = next((ast.literal_eval(x.text[4:]) for x in line.below if x.text.startswith("doc ")), "")
    return Model(match[1], definition, tuple((unknowns[k], int(v)) for k, v in settings), conditions, inits, doc)


def _keyed(pair: tuple[str, Init]) -> tuple[str, Init]:
    return pair[0].removeprefix("init ").strip(), pair[1]


@dataclass
class _IRReader:
    known: Known
    unknowns: dict[str, Unknown] = field(default_factory=dict)

    @property
    def names(self) -> UnknownNames:
        return UnknownNames(self.unknowns)

    def definition(self, line: TextLine) -> tuple[Definition, dict[str, Unknown]]:
        match = re.fullmatch(r"definition (\S+) (.+)", line.text)
        if match is None:
            raise NotIR(line.text)
        parts: dict[str, list[Any]] = {}
        nodes: list[TextLine] = []
        for inner in line.below:
            word = inner.text.split()[0]
            reading = getattr(self, f"read_{word}", None) if not inner.text.startswith("%") else None
            if reading is None:
                nodes.append(inner)
            else:
                parts.setdefault(reading.__name__, []).append(reading(inner))
        inputs = parts.get("read_input", [])
        outputs = parts.get("read_output", [])
        graph = Graph(tuple(v for v, _ in inputs), self.nodes(nodes), tuple(o for o, _ in outputs))
        members = tuple(self.members)
        conditions = [c for kind, c in parts.get("read_where", []) if kind == "where"]
        found = Definition(
            match[1], ast.literal_eval(match[2]), tuple(parts.get("read_static", [])),
            tuple(u for group in parts.get("read_sizes", []) for u in group), graph, tuple(n for _, n in outputs),
            tuple(o for _, o in inputs), members, tuple(conditions), tuple(c for c in parts.get("read_fact", [])),
            "".join(parts.get("read_doc", [])), step=next(iter(parts.get("read_step", [])), None),
            named=tuple(parts.get("read_named", [])),
        )  # fmt: skip
        return found, self.unknowns

    members: list[Member] = field(default_factory=list)

    # lines of a definition

    def read_doc(self, line: TextLine) -> str:
        return str(ast.literal_eval(line.text[4:]))

    def read_unknown(self, line: TextLine) -> Unknown:
        match = re.fullmatch(r"unknown (\w+) ('.*'|\".*\") (\S+) (\w+)", line.text)
        if match is None:
            raise NotIR(line.text)
        low = None if match[3] == "None" else int(match[3])
        kind: Literal["size", "pack"] = "pack" if match[4] == "pack" else "size"
        self.unknowns[match[1]] = Unknown(ast.literal_eval(match[2]), low, kind)
        return self.unknowns[match[1]]

    def read_static(self, line: TextLine) -> Static:
        match = re.fullmatch(r"static ('[^']*'|\"[^\"]*\") ('[^']*') (unknown|=) (.*)", line.text)
        if match is None:
            raise NotIR(line.text)
        name, kind = ast.literal_eval(match[1]), ast.literal_eval(match[2])
        if match[3] == "unknown":
            return Static(name, kind, self.unknowns[match[4]])
        return Static(name, kind, None, self.names.value(match[4]))

    def read_sizes(self, line: TextLine) -> list[Unknown]:
        return [self.unknowns[label.strip()] for label in line.text[6:].split(",")]

    def read_where(self, line: TextLine) -> tuple[str, Condition]:
        return "where", self.names.condition(line.text[6:])

    def read_fact(self, line: TextLine) -> Condition:
        return self.names.condition(line.text[5:])

    def read_named(self, line: TextLine) -> tuple[str, Size]:
        match = re.fullmatch(r"named ('[^']*'|\"[^\"]*\") = (.*)", line.text)
        if match is None:
            raise NotIR(line.text)
        return ast.literal_eval(match[1]), self.names.size(match[2])

    def read_step(self, line: TextLine) -> Graph:
        return self.region(line)

    def read_loop(self, line: TextLine) -> None:
        path, _, count = line.text[5:].partition(":")
        self.members.append(Loop(path, self.names.size(count)))

    def read_param(self, line: TextLine) -> None:
        self._weight(line, "param")

    def read_state(self, line: TextLine) -> None:
        self._weight(line, "state")

    def _weight(self, line: TextLine, kind: Literal["param", "state"]) -> None:
        head, init = self.init(line)
        path, _, type = head.removeprefix(kind).strip().partition(":")
        keep = next((self.region(x) for x in line.below if x.text.startswith("keep ")), None)
        nonzero = next((int(x.text[8:]) for x in line.below if x.text.startswith("nonzero ")), None)
        self.members.append(Weight(path, self.names.type(type), kind, init, keep, nonzero=nonzero))

    def read_instance(self, line: TextLine) -> None:
        match = re.fullmatch(r"instance (\S+): ([^\s{]+)\{(.*?)\}(?: each (.*?))?(?: omitted (.*))?", line.text)
        if match is None or match[2] not in self.known:
            raise NotIR(line.text)
        vectorized = self.names.size(match[4]) if match[4] else None
        inits = tuple(_keyed(self.init(x)) for x in line.below)
        omitted = tuple(split_top(match[5])) if match[5] else ()
        definition = self.known[match[2]][0]
        self.members.append(
            Instance(
                match[1], definition, self.bound(match[2], match[3]), inits, vectorized=vectorized, omitted=omitted
            )
        )

    def read_input(self, line: TextLine) -> tuple[Value, bool]:
        text = line.text[6:]
        optional = text.endswith(" optional")
        return self.typed(text.removesuffix(" optional")), optional

    def read_output(self, line: TextLine) -> tuple[Operand, str | None]:
        match = re.fullmatch(r"output (%\S+|.+?)(?: ([\w']+))?", line.text)
        if match is None:
            raise NotIR(line.text)
        return self.operand(match[1]), match[2]

    # parts

    def init(self, line: TextLine) -> tuple[str, Init]:
        head, _, tail = line.text.rpartition(" = ") if "(" not in line.text else _split_init(line.text)
        match = re.fullmatch(r"(\w+)\((.*)\)", tail)
        if match is None:
            raise NotIR(line.text)
        graph = next((self.region(x) for x in line.below if x.text.startswith("region ")), None)
        return head, Init(match[1], self.attrs(match[2]), graph)

    def attrs(self, text: str) -> tuple[tuple[str, Any], ...]:
        pairs = (pair.partition("=") for pair in split_top(text))
        return tuple((key.strip(), self.names.value(value)) for key, _, value in pairs)

    def bound(self, callee: str, text: str) -> Bindings:
        theirs = self.known[callee][1]
        pairs = (pair.partition("=") for pair in split_top(text))
        return tuple((theirs[key.strip()], self.names.size(value)) for key, _, value in pairs)

    def operand(self, text: str) -> Operand:
        if text == "_":
            return None
        return text[1:] if text.startswith("%") else Const(self.names.value(text))

    def name(self, text: str) -> tuple[str, str]:
        name, _, hint = text.strip().partition(" ")
        return name[1:], ast.literal_eval(hint) if hint else implied(name[1:])

    def typed(self, text: str) -> Value:
        head, _, type = text.rpartition(": ")
        name, hint = self.name(head)
        return Value(name, self.names.type(type), hint)

    # graphs

    def region(self, line: TextLine) -> Graph:
        match = re.fullmatch(r"\w+ \((.*)\) ->(.*)", line.text)
        if match is None:
            raise NotIR(line.text)
        inputs = tuple(self.typed(text) for text in split_top(match[1]))
        outputs = tuple(self.operand(text) for text in split_top(match[2]))
        return Graph(inputs, self.nodes(line.below), outputs)

    def nodes(self, lines: list[TextLine]) -> tuple[Node, ...]:
        return tuple(self.node(line) for line in lines)

    def node(self, line: TextLine) -> Node:
        results, text = _results(line.text)
        match = NODE.fullmatch(text)
        if match is None:
            raise NotIR(line.text)
        settings, operands, supplied, types = _pieces(match["rest"])
        callee = self.known[match["callee"]][0] if match["callee"] else None
        all_types = [self.names.type(x) for x in split_top(types)]
        if len(all_types) == 1:
            all_types *= len(results)
        outputs = tuple(
            Value(*self._named(name, type)) for name, type in zip(map(self.name, results), all_types, strict=True)
        )
        attrs, structure = self.attrs(settings), None
        given = (x.partition("=") for x in split_top(supplied))
        head = {
            "path": match["path"], "callee": callee,
            "bindings": self.bound(match["callee"], match["bound"]) if callee else (),
            "supplied": tuple((path.strip(), name[1:]) for path, _, name in given),
        }  # fmt: skip
        head = {key: value for key, value in head.items() if value}
        if match["op"] in STRUCTURES:
            attrs, structure = (), self.structure(match["op"], attrs, head)
        elif head:
            raise NotIR(f"`{match['op']}` is no structural operation: it has no {', '.join(head)}")
        operands_ = tuple(map(self.operand, split_top(operands)))
        return Node(match["op"], operands_, outputs, attrs, tuple(map(self.region, line.below)), structure)

    def structure(self, op: str, attrs: Attrs, head: Mapping[str, Any]) -> Structure:
        """What a structural operation says of itself."""
        try:
            return STRUCTURES[op].of_pairs(attrs, **head)
        except (TypeError, KeyError) as problem:
            raise NotIR(f"`{op}` does not have these settings: {problem}") from None

    def _named(self, name: tuple[str, str], type: Any) -> tuple[str, Any, str]:
        return name[0], type, name[1]


def _split_init(text: str) -> tuple[str, str, str]:
    """The initializer is what stands after the first ` = ` outside of brackets."""
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if not depth and text.startswith(" = ", at):
            return text[:at], " = ", text[at + 3 :]
    raise NotIR(text)


def _results(text: str) -> tuple[list[str], str]:
    if not text.startswith("%"):
        return [], text
    left, _, right = text.partition(" = ")
    return split_top(left), right


def _pieces(text: str) -> tuple[str, str, str, str]:
    """`[settings](operands) with supplied : types`."""
    settings = ""
    if text.startswith("["):
        settings, text = _bracketed(text)
    operands, text = _bracketed(text)
    head, _, types = text.partition(" : ")
    supplied = head.strip().removeprefix("with ") if head.strip() else ""
    return settings, operands, supplied, types


def _bracketed(text: str) -> tuple[str, str]:
    """What stands in the bracket that the text begins with, and the rest."""
    depth, quote = 0, ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[at - 1] != "\\" else quote
        elif char in "'\"":
            quote = char
        else:
            depth += (char in "([{") - (char in ")]}")
        if not depth and not quote:
            return text[1:at], text[at + 1 :]
    raise NotIR(text)
