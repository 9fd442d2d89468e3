"""Random syntax trees."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ogive.grammar import syntax as s
from ogive.grammar.lexer import SOFT
from ogive.grammar.source import Chunk, Span

AT: Any = {"span": Span(Chunk(""), 0, 0)}
NAMED: Any = {**AT, "name_span": AT["span"]}

names = st.sampled_from(["x", "y", "d", "n'", "d_ff", "Linear", "std", *sorted(SOFT)])
strings = st.text(st.characters(exclude_characters='"\n', exclude_categories=["Cs"]), max_size=6)
labels = st.none() | names


def tuples(items: st.SearchStrategy[Any], low: int = 0, high: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, min_size=low, max_size=high).map(tuple)


def node(cls: Any, /, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda **given: cls(**AT, **given), **parts)


def named(cls: Any, /, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda **given: cls(**NAMED, **given), **parts)


targets = node(s.Target, name=names)
atoms = st.one_of(
    node(s.Name, id=names),
    node(s.Number, value=st.integers(0, 10**30) | st.floats(min_value=0, allow_nan=False, allow_infinity=False)),
    node(s.String, value=strings),
    node(s.Constant, value=st.sampled_from([True, False, None])),
)


def _items(e: st.SearchStrategy[s.Expr]) -> st.SearchStrategy[Any]:
    part = st.none() | e
    return st.one_of(
        e,
        node(s.Slice, start=part, stop=part, step=part),
        node(s.Ellipsis_),
        node(s.Splice, value=e),
        named(s.Keyword, name=names, value=e),
    )


def _larger(e: st.SearchStrategy[s.Expr]) -> st.SearchStrategy[s.Expr]:
    arguments = st.one_of(e, node(s.Splice, value=e), named(s.Keyword, name=names, value=e))
    clauses = node(s.Clause, targets=tuples(names, 1), iterable=e, condition=st.none() | e)
    stages = st.builds(lambda func, label: s.Stage(**AT, func=func, label=label), e, labels)
    return st.one_of(
        node(s.Unary, op=st.sampled_from(["-", "not"]), operand=e),
        node(s.Binary, op=st.sampled_from("+ - * / // % @ ** and or".split()), left=e, right=e),
        node(s.Compare, op=st.sampled_from("== != < <= > >= in".split()), left=e, right=e),
        node(s.Compare, op=st.just("in"), left=e, right=node(s.SetExpr, items=tuples(e, 1))),
        node(s.Conditional, then=e, condition=e, orelse=e),
        node(s.ListExpr, items=tuples(e)),
        node(s.TupleExpr, items=tuples(e, 1)),
        node(s.Comprehension, element=e, clauses=tuples(clauses, 1)),
        named(s.Attribute, base=e, name=names),
        node(s.Brackets, base=e, items=tuples(_items(e))),
        node(s.Call, func=e, args=tuples(arguments)),
        node(s.Pipe, head=e, stages=tuples(stages, 1)),
        node(s.Compose, parts=tuples(e, 2)),
    )


exprs = st.recursive(atoms, _larger, max_leaves=12)
small = st.recursive(atoms, _larger, max_leaves=3)
some = tuples(small, 1)

types = node(
    s.TypeExpr,
    elem=st.sampled_from(["float", "int", "bf16", "state"]),
    dims=tuples(small | node(s.StarDim, name=st.none() | names)),
    optional=st.booleans(),
)
paths = tuples(names, 1)
steps = node(s.With, target=targets, iterable=small)
SPANS: Any = {"target_spans": ()}

simple = st.one_of(
    node(s.Assign, targets=tuples(targets, 1), type=st.none(), value=small),
    node(s.Assign, targets=tuples(targets, 1, 1), type=types, value=small),
    node(s.ParamStmt, kind=st.sampled_from(["param", "state"]), target=targets, type=types, init=st.none() | small,
         keep=st.none() | small),
    node(s.UpdateStmt, target=targets, value=small),
    st.builds(lambda targets, value: s.InitStmt(**AT, **SPANS, targets=targets, value=value), tuples(paths, 1), small),
    st.builds(lambda target, value: s.KeepStmt(**AT, target_span=AT["span"], target=target, value=value), paths, small),
    node(s.Return, values=some),
    node(s.Yield, target=targets, value=small),
    node(s.Require, conditions=some),
    node(s.Assume, conditions=some),
    node(s.Tap, target=targets, value=small),
)  # fmt: skip
carries = node(s.Carry, target=targets, type=st.none() | types, value=small)


def _compound(stmt: st.SearchStrategy[s.Stmt]) -> st.SearchStrategy[s.Stmt]:
    body = tuples(stmt, 1)
    return st.one_of(
        node(s.If, branches=tuples(st.tuples(small, body), 1), orelse=st.none() | body),
        node(s.For, targets=tuples(targets, 1), iterable=small, label=labels, body=body),
        node(s.Repeat, count=small, label=labels, withs=tuples(steps), body=body),
        node(s.Scan, steps=tuples(steps, 1), axis=small, reverse=st.booleans(), carries=tuples(carries), label=labels,
             body=body),
    )  # fmt: skip


stmts = st.recursive(simple, _compound, max_leaves=4)
bodies = tuples(stmts, 1)

block_types = node(s.BlockType, inputs=tuples(types), outputs=tuples(types))
statics = st.one_of(
    node(s.StaticDecl, name=names, kinds=tuples(names | st.sampled_from(["block", "none"])), type=st.none(),
         default=st.none() | small),
    node(s.StaticDecl, name=names, kinds=st.just(()), type=block_types, default=st.none() | small),
)  # fmt: skip
lines = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=12).map(str.rstrip)
docs = st.lists(lines, max_size=3).map("\n".join)
heads: dict[str, st.SearchStrategy[Any]] = {
    "name": names,
    "statics": tuples(statics),
    "inputs": tuples(node(s.Input, name=names, type=types)),
    "outputs": tuples(node(s.Output, name=st.none() | names, type=types), 1),
    "where": tuples(small),
    "doc": docs,
}
modules = st.sampled_from(["std.nn", "./parts", "../lib/parts", "std.vision.conv"])
aliases = node(s.UseItem, name=names, alias=labels)
decls = st.one_of(
    st.builds(lambda module, items: s.Use(**AT, module_span=AT["span"], module=module, items=items, alias=None),
              modules, tuples(aliases, 1)),
    st.builds(lambda module, alias: s.Use(**AT, module_span=AT["span"], module=module, items=(), alias=alias),
              modules, names),
    node(s.Const, target=targets, statics=heads["statics"], value=exprs),
    named(s.Block, **heads, body=bodies),
    named(s.Extern, **heads, target=strings),
    named(s.Model, name=names, value=exprs, where=st.none() | some, doc=docs),
    named(s.Recipe, name=names, model=names, passes=some, doc=docs),
)  # fmt: skip


@st.composite
def files(draw: st.DrawFn) -> s.File:
    """A whole file; an edition stands first if at all."""
    edition = (s.Edition(**AT, number=1),) if draw(st.booleans()) else ()
    return s.File(**AT, declarations=edition + draw(tuples(decls, 0, 4)))
