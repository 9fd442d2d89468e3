"""Places in the tree of weights: the names of instances that the source leaves unnamed.

An instance without a name takes the snake_case of its block; a name taken already gets `_2`, `_3`, in source order
within its place: the body or the loop it stands in. All arms of an `if` count, so names do not depend on the arm taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from ogive.grammar import syntax

BlockName = Callable[[syntax.Expr], str | None]  # the name of the block that an expression stands for, if it does


@lru_cache(1024)
def snake(name: str) -> str:
    """`LayerNorm` -> `layer_norm`, `MLP` -> `mlp`, `GPT2Block` -> `gpt2_block`."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def plan(body: tuple[syntax.Stmt, ...], block_name: BlockName) -> dict[int, tuple[str, bool]]:
    """For each site in a place (by the id of its node): its name, and whether its number depends on source order.

    Sites inside nested loops belong to the loop's own place: they are planned when the loop is met. A `>>` that is
    bound to a name is one site; its members are planned by `plan_members`.
    """
    sites = list(_sites(body, block_name))
    taken = {name for _, name, explicit in sites if explicit}
    return _number(sites, taken)


def plan_members(parts: tuple[syntax.Expr, ...], block_name: BlockName) -> dict[int, tuple[str, bool]]:
    """Names of the members of a `>>` that has a name: they stand under it."""
    sites = [(part, snake(name), False) for part in parts if (name := block_name(part)) is not None]
    return _number(sites, set())


def _number(sites: Sequence[tuple[object, str, bool]], taken: set[str]) -> dict[int, tuple[str, bool]]:
    names: dict[int, tuple[str, bool]] = {}
    for node, name, explicit in sites:
        if explicit:
            names[id(node)] = (name, False)
            continue
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free)
        names[id(node)] = (free, number > 1)
    return names


def _sites(body: tuple[syntax.Stmt, ...], block_name: BlockName) -> Iterator[tuple[object, str, bool]]:
    for statement in body:
        match statement:
            case syntax.Assign(targets=(target,), value=value) if _is_site(value, block_name):
                yield value, target.name, True
                yield from _inside(value, block_name)
            case syntax.ParamStmt(target=target):
                yield statement, target.name, True
            case syntax.If(branches=branches, orelse=orelse):
                for condition, arm in branches:
                    yield from _expression(condition, block_name)
                    yield from _sites(arm, block_name)
                yield from _sites(orelse or (), block_name)
            case syntax.For(label=label) | syntax.Repeat(label=label) | syntax.Scan(label=label):
                yield from _loop_head(statement, block_name)
                if label is not None or not isinstance(statement, syntax.Scan):
                    yield statement, label or "layers", label is not None
                if isinstance(statement, syntax.Scan) and label is None:
                    yield from _sites(statement.body, block_name)
            case _:
                for expression in _expressions(statement):
                    yield from _expression(expression, block_name)


def _loop_head(loop: syntax.Stmt, block_name: BlockName) -> Iterator[tuple[object, str, bool]]:
    match loop:
        case syntax.For(iterable=iterable):
            yield from _expression(iterable, block_name)
        case syntax.Repeat(withs=withs):
            for each in withs:
                yield from _expression(each.iterable, block_name)
        case syntax.Scan(steps=steps, carries=carries):
            for each in steps:
                yield from _expression(each.iterable, block_name)
            for carry in carries:
                yield from _expression(carry.value, block_name)
        case _:
            pass


def _is_site(value: syntax.Expr, block_name: BlockName) -> bool:
    match value:
        case syntax.Brackets(items=items):
            return block_name(value) is not None and not (items and isinstance(items[-1], syntax.Ellipsis_))
        case syntax.Compose(parts=parts):
            return any(block_name(part) is not None for part in parts)
        case syntax.Conditional(then=then, orelse=orelse):
            return _is_site(then, block_name) or _is_site(orelse, block_name)
        case _:
            return False


def _inside(value: syntax.Expr, block_name: BlockName) -> Iterator[tuple[object, str, bool]]:
    """Sites in the brackets of a site that has a name itself."""
    match value:
        case syntax.Conditional(condition=condition):
            yield from _expression(condition, block_name)
        case _:
            return


def _expression(tree: syntax.Tree | None, block_name: BlockName) -> Iterator[tuple[object, str, bool]]:
    """Sites of an expression, in source order."""
    match tree:
        case None:
            return
        case syntax.Brackets(base=base, items=items):
            name = block_name(tree)
            if name is not None:
                yield tree, snake(name), False
                return
            if isinstance(base, syntax.Name) and base.id == "repeat":
                yield tree, "layers", False
                yield from _expression(items[0], block_name) if items else ()
                return
            if (vectorized := _vectorized(tree, block_name)) is not None:
                yield tree, snake(vectorized), False
                items = items[1:] if isinstance(base, syntax.Name) and base.id == "custom_grad" else ()
            else:
                yield from _expression(base, block_name)
            for item in items:
                yield from _expression(item, block_name)
            if (back := _back(tree)) is not None and (name := block_name(back)) is not None:
                yield back, snake(name), False
        case syntax.Call(func=func, args=args):
            name = block_name(func)
            if name is not None:
                yield func, snake(name), False
            elif not isinstance(func, syntax.Name):
                yield from _expression(func, block_name)
            for arg in args:
                yield from _expression(arg, block_name)
        case syntax.Pipe(head=head, stages=stages):
            yield from _expression(head, block_name)
            for stage in stages:
                yield from _stage(stage, block_name)
        case syntax.Compose(parts=parts):
            for part in parts:
                if (name := block_name(part)) is not None:
                    yield part, snake(name), False
                else:
                    yield from _expression(part, block_name)
        case _:
            for child in _children(tree):
                yield from _expression(child, block_name)


def _vectorized(tree: syntax.Tree, block_name: BlockName) -> str | None:
    """The block that `over[n, F]`, `each[n, F[...]]`, `grad[F]` and `custom_grad[F, b]` allocate where they stand.

    Brackets that are complete are allocated in their own place, but for `each`, which takes them as a template.
    """
    match tree:
        case syntax.Brackets(base=syntax.Name(id="over" | "each" as kind), items=(_, func)):
            pass
        case syntax.Brackets(base=syntax.Name(id="grad" as kind), items=(func,)):
            pass
        case syntax.Brackets(base=syntax.Name(id="custom_grad" as kind), items=(func, _)):
            pass
        case _:
            return None
    if not isinstance(func, syntax.Expr):
        return None
    if kind != "each" and _is_site(func, block_name):
        return None
    return block_name(func) or _vectorized(func, block_name)


def _back(tree: syntax.Brackets) -> syntax.Name | None:
    """The second block of `custom_grad`, where it is a name: brackets are sites of their own."""
    match tree:
        case syntax.Brackets(base=syntax.Name(id="custom_grad"), items=(_, syntax.Name() as back)):
            return back
        case _:
            return None


def _stage(stage: syntax.Stage, block_name: BlockName) -> Iterator[tuple[object, str, bool]]:
    name = block_name(stage.func)
    if stage.label is not None:
        yield stage.func, stage.label, True
    elif name is not None:
        yield stage.func, snake(name), False
    else:
        yield from _expression(stage.func, block_name)


def _children(tree: syntax.Tree) -> Iterator[syntax.Tree]:
    """The expressions directly below a node, in the order of its fields."""
    for field in getattr(type(tree), "__dataclass_fields__", {}):
        value = getattr(tree, field)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, syntax.Tree) and not isinstance(item, (syntax.TypeExpr, syntax.Target)):
                yield item


def _expressions(statement: syntax.Stmt) -> Iterator[syntax.Tree]:
    yield from _children(statement)
