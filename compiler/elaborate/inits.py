"""`init` lines of a body, resolved against what it allocated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ogive.compiler.elaborate.frame import Frame
from ogive.compiler.ir import Instance as InstanceMember


def finish_inits(frame: Frame) -> None:
    """Resolve `init` targets against what the body allocated: a path beats a block, a later one an earlier one."""
    for target, (init, span) in sorted(frame.inits, key=lambda entry: _is_path(frame, entry[0])):
        text = ".".join(target)
        if not _apply_init(frame, target, init) and not frame.failed:
            frame.report(
                "E0201",
                f"`init {text}` matches no weight of this body",
                span,
                help="name a block and its weight (`Linear.weight`), or a path without turn numbers",
            )


def _is_path(frame: Frame, target: tuple[str, ...]) -> bool:
    return not target[0][:1].isupper()


def _apply_init(frame: Frame, target: tuple[str, ...], init: Any) -> bool:
    found = False
    for index, member in enumerate(frame.members):
        if member is None:
            continue
        for path in _matches(member, target):
            found = True
            frame.members[index] = member = _overridden(member, path, init)
    return found


def _overridden(member: Any, path: str, init: Any) -> Any:
    if isinstance(member, InstanceMember):
        return replace(member, inits=(*member.inits, (path, init)))
    return replace(member, init=init)


def _matches(member: Any, target: tuple[str, ...]) -> list[str]:
    """The weights at or below a member that a target names, as paths below the member."""
    if not isinstance(member, InstanceMember):
        here = [part for part in getattr(member, "path", "").split(".") if part != "*" and not part.isdigit()]
        return [""] if here == list(target) and hasattr(member, "init") else []
    if _is_path_target(target):
        return [path for path, _ in below(member.definition) if _plain(f"{member.path}.{path}") == ".".join(target)]
    block, weight = target[0], ".".join(target[1:])
    found = []
    for path, owner in below(member.definition, member.definition.block):
        last = path.rpartition(".")[2]
        if owner.rsplit(".", 1)[-1] == block and last == weight:
            found.append(path)
    return found


def _is_path_target(target: tuple[str, ...]) -> bool:
    return not target[0][:1].isupper()


def _plain(path: str) -> str:
    """A path without turn numbers."""
    return ".".join(part for part in path.split(".") if part != "*" and not part.isdigit())


def below(definition: Any, owner: str = "") -> list[tuple[str, str]]:
    """Every weight at or below a definition: its path, and the block that owns it."""
    found = [(w.path, owner or definition.block) for w in definition.weights]
    for each in definition.instances:
        found += [(f"{each.path}.{path}", block) for path, block in below(each.definition, each.definition.block)]
    return found
