"""Names in files of PyTorch: what they use themselves, what modules of torch keep, how a member is reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ogive.backends.python_text import names as python
from ogive.backends.python_text.errors import LoweringError
from ogive.backends.python_text.expr import Code, attribute, call, literal, name, subscript
from ogive.backends.python_text.module_tree import ModuleNode
from ogive.backends.python_text.statements import For, Statement
from ogive.backends.pytorch.ops.helpers import HELPERS
from ogive.compiler.ir.model import Definition

RESERVED = python.RESERVED | frozenset(
    (*HELPERS, "Group", "Taps", "around", "member", "taps", "generator", "training", "like", "torch", "nn", "F",
     "Tensor", "FLOATS", "once", "outside", "saving", "Calls")
)  # fmt: skip

# what an nn.Module keeps in its own dict: with a member of such a name, `train()` or `load_state_dict` breaks it (a
# test keeps the list current)
MODULE_DATA = frozenset(
    """
training _parameters _buffers _modules _non_persistent_buffers_set _backward_pre_hooks _backward_hooks
_is_full_backward_hook _forward_hooks _forward_hooks_with_kwargs _forward_hooks_always_called _forward_pre_hooks
_forward_pre_hooks_with_kwargs _state_dict_hooks _state_dict_pre_hooks _load_state_dict_pre_hooks
_load_state_dict_post_hooks
""".split()
)
# attributes of nn.Module: a member of such a name lives in the module's tables only (a test keeps the list current)
MODULE_ATTRIBUTES = frozenset(
    """
T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules mtia
named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
state_dict to to_empty train training type constrain run xpu zero_grad after_step like reset_parameters init_weights
gradient_checkpointing_enable gradient_checkpointing_disable decay_groups
""".split()
)


def fresh(base: str, taken: Iterable[str] = ()) -> str:
    """`base`, or `base_2`, `base_3`, ... where it is taken or reserved."""
    return python.fresh(base, taken, RESERVED)


def plain(name: str) -> bool:
    """Whether a member of this name can be an ordinary attribute of a module; torch's own may begin with `_`."""
    return python.plain(name) and name not in MODULE_ATTRIBUTES


def refuse_data(definition: Definition, place: ModuleNode) -> None:
    """Refuse members that have the name of what every module keeps."""
    for label, child in place.children.items():
        if label in MODULE_DATA:
            below = (m for m in definition.members if f"{m.path}.".startswith(f"{child.path}."))
            span = next((found for member in below if (found := getattr(member, "span", None))), definition.span)
            said = f"every module of torch keeps data of its own as `{label}`, so nothing in it can have this name"
            raise LoweringError(said, span)
        refuse_data(definition, child)


SELF = name("self")


def access(path: str, base: Code = SELF) -> Code:
    """The expression of a member: `self.blocks[0].conv`."""
    for part in path.split("."):
        if part.isdigit():
            base = subscript(base, int(part))
        else:
            base = attribute(base, part) if plain(part) else call("member", base, literal(part))
    return base


Heads = tuple[tuple[str, Code], ...]  # loops inside of each other: a variable, and the modules that it stands for


def looped(path: str, base: Code) -> tuple[Heads, Code]:
    """The loops over the iterations of a path, and what stands inside of them."""
    first, *others = path.split(".*")
    heads: list[tuple[str, Code]] = []
    target = access(first, base)
    for number, part in enumerate(others):
        iteration = "turn" if not number else f"turn_{number + 1}"
        heads.append((iteration, target))
        target = access(part[1:], name(iteration)) if part else name(iteration)
    return tuple(heads), target


def inside(heads: Heads, body: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements in these loops."""
    found = tuple(body)
    for iteration, modules in reversed(heads):
        found = (For(name(iteration), modules, found),)
    return found
