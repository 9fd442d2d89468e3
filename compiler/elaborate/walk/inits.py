"""`init` lines of a body, resolved against what it allocated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ogive.compiler.elaborate.state.allocation import Override
from ogive.compiler.elaborate.state.control import StatementFailed
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.walk import weights
from ogive.compiler.ir.model import Init, Weight
from ogive.compiler.ir.model import Instance as InstanceMember
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir.weights import loops_in, weight_types
from ogive.grammar import spelling
from ogive.grammar.diagnostics import Edit


def finish_inits(frame: Frame) -> None:
    """Resolve `init` targets against what the body allocated: a path beats a block, a later one an earlier one."""
    for override in sorted(frame.alloc.inits, key=lambda each: _is_path(each.target)):
        try:
            found = _apply_init(frame, override)
        except StatementFailed:
            continue
        if not found and not _hidden(frame):
            frame.report(
                "E0201",
                f"`init {'.'.join(override.target)}` matches no weight of this body",
                override.span,
                **_meant(frame, override),
            )


def _hidden(frame: Frame) -> bool:
    """Whether the weight may be one of a block that could not be understood."""
    return frame.failed or frame.module.broken or None in frame.module.scope.values()


def finish_keeps(frame: Frame) -> None:
    """Resolve `keep path = f` against what the body allocated."""
    for override in frame.alloc.keeps:
        text = ".".join(override.target)
        try:
            found = _targets(frame, override)
            for index, path in found:
                _keep(frame, override, index, path)
        except StatementFailed:
            continue
        if not found and not _hidden(frame):
            message = f"`keep {text}` matches no weight of this body"
            frame.report("E0201", message, override.span, **_meant(frame, override))


def _meant(frame: Frame, override: Override) -> dict[str, Any]:
    """What a target may mean: a weight of that name in a loop or further down, or one that is close."""
    text = ".".join(override.target)
    known = list(dict.fromkeys(path for member in frame.alloc.members for path in _below(member)))
    inside = [path for path in known if path.endswith(f".{text}")] or spelling.nearest(text, known, 1)
    if len(inside) == 1:
        return {"help": f"write `{inside[0]}`", "edits": (Edit(override.span, inside[0]),)}
    named = " or ".join(f"`{path}`" for path in inside[:4])
    return {
        "help": f"write {named}" if named else "name a block and its weight (`Linear.weight`), or a path (`up.weight`)"
    }


def _below(member: Any) -> list[str]:
    """The paths of the weights at or below a member, without iterations."""
    if isinstance(member, InstanceMember):
        return [_plain(f"{member.path}.{path}") for path, _ in member.definition.owners]
    return [_plain(member.path)] if isinstance(member, Weight) else []


def _targets(frame: Frame, override: Override) -> list[tuple[int, str]]:
    members = [(index, member) for index, member in enumerate(frame.alloc.members) if member is not None]
    return [(index, path) for index, member in members for path in _matches(member, override.target)]


def _keep(frame: Frame, override: Override, index: int, path: str) -> None:
    member: Any = frame.alloc.members[index]
    assert not isinstance(override.init, Init)
    with frame.scope.replaced_by(override.variables):
        graph = weights.constraint(frame, override.init, _type_of(member, path))
    if isinstance(member, InstanceMember):
        frame.alloc.members[index] = replace(member, keeps=(*member.keeps, (path, graph)))
    else:
        frame.alloc.members[index] = replace(member, keep=graph)


def _type_of(member: Any, path: str) -> TensorType:
    if isinstance(member, InstanceMember):
        stacked = dict(weight_types(member.definition, dict(member.bindings)))[path]
        return stacked.with_axes(*stacked.axes[loops_in(path) + _vectorized_axes(member.definition, path) :])
    assert isinstance(member, Weight)
    return member.type


def _vectorized_axes(definition: Any, path: str) -> int:
    """How many axes of `each` stand before those that the weight has in its own block."""
    inner = next((m for m in definition.instances if path.startswith(f"{m.path}.")), None)
    return (
        0
        if inner is None
        else (inner.vectorized is not None) + _vectorized_axes(inner.definition, path[len(inner.path) + 1 :])
    )


def _is_path(target: tuple[str, ...]) -> bool:
    return not target[0][:1].isupper()


def _apply_init(frame: Frame, override: Override) -> bool:
    found = False
    for index, member in enumerate(frame.alloc.members):
        if member is None:
            continue
        paths = _matches(member, override.target)
        found = found or bool(paths)
        for path in paths:
            frame.alloc.members[index] = member = _overridden(member, path, _made(frame, override, member, path))
    return found


def _made(frame: Frame, override: Override, member: Any, path: str) -> Init:
    """The initializer for the weight at a path of a member: an expression takes the shape of that weight."""
    if isinstance(override.init, Init):
        return override.init
    type = _type_of(member, path)
    with frame.scope.replaced_by(override.variables):
        return weights.initializer(frame, override.init, type)


def _overridden(member: Any, path: str, init: Any) -> Any:
    if isinstance(member, InstanceMember):
        return replace(member, inits=(*member.inits, (path, init)))
    return replace(member, init=init)


def _matches(member: Any, target: tuple[str, ...]) -> list[str]:
    """The weights at or below a member that a target names, as paths below the member."""
    if not isinstance(member, InstanceMember):
        here = [part for part in getattr(member, "path", "").split(".") if part != "*" and not part.isdigit()]
        return [""] if here == list(target) and hasattr(member, "init") else []
    if _is_path(target):
        return [path for path, _ in member.definition.owners if _plain(f"{member.path}.{path}") == ".".join(target)]
    block, weight = target[0], ".".join(target[1:])
    found = []
    for path, owner in member.definition.owners:
        last = path.rpartition(".")[2]
        if owner.rsplit(".", 1)[-1] == block and last == weight:
            found.append(path)
    return found


def _plain(path: str) -> str:
    """A path without iteration numbers."""
    return ".".join(part for part in path.split(".") if part != "*" and not part.isdigit())
