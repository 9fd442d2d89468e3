"""What emitted files hold so that updates and draws happen once where an activation checkpoint runs a forward again.

A checkpoint runs its function a second time on the way back, to have the values that it did not keep. Batch norm would
then move its averages twice, a generator would draw other numbers, and a state that was changed would be read anew.
"""

from __future__ import annotations

from types import MappingProxyType

# where nothing that the forward reads changes in it: on the way back, it moves copies
MOVED_ONCE = '''
def once(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A forward that moves its averages once: not where an activation checkpoint runs it again on the way back."""

    @functools.wraps(forward)
    def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        compiled = torch.compiler.is_compiling()
        if compiled or not self.training or torch._C._current_graph_task_id() == -1:
            return forward(self, *args, **kwargs)
        held = [(module, dict(module._buffers)) for module in self.modules()]
        for module, buffers in held:
            module._buffers.update({name: x.clone() for name, x in buffers.items() if x is not None})
        try:
            return forward(self, *args, **kwargs)
        finally:
            for module, buffers in held:
                module._buffers.update(buffers)

    return run
'''

# where the forward reads what it changes, or draws from a generator: what it saw is kept by the checkpoint
DONE_ONCE = '''
class Calls:
    """The calls under an activation checkpoint, in order: the buffers and the state of the generator that each saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[dict[str, Tensor]], Tensor | None]] = []
        self.frame: Any = None
        self.number = 0
        self.inside = False

    @staticmethod
    def around() -> Iterator[tuple["Calls", bool]]:
        """Those of each checkpoint around a call, innermost first, to one that runs its function again, if any does."""
        frame: Any = sys._getframe(1)
        path = getattr(sys.modules.get("torch.utils.checkpoint"), "__file__", "")
        while frame is not None and not (frame.f_code.co_name == "apply" and "user_fn" in frame.f_locals):
            name, found = frame.f_code.co_name, frame.f_locals if frame.f_code.co_filename == path else {}
            place, again = found.get("ctx"), name == "backward"
            if name == "unpack_hook":
                place, again = found["frame"], True
            if name == "checkpoint" and "gen" in found and found["gen"].gi_frame is not None:
                place = found["gen"].gi_frame.f_locals["new_frame"]
            if place is not None:
                calls = place.__dict__.setdefault("calls", Calls())
                if again and calls.frame is not frame:
                    calls.frame, calls.number, calls.inside = frame, 0, False
                yield calls, again
            frame = None if again and place is not None else frame.f_back


def once(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A forward that changes and draws once: where an activation checkpoint runs it again, it sees what it saw."""

    @functools.wraps(forward)
    def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        source = next((x for x in (*args, *kwargs.values()) if isinstance(x, torch.Generator)), None)
        if torch.compiler.is_compiling() or not (self.training or source is not None):
            return forward(self, *args, **kwargs)
        around = [(calls, again) for calls, again in Calls.around() if not calls.inside]
        modules = list(self.modules()) if around else []
        held = [dict(module._buffers) for module in modules]
        drawn = source.get_state() if around and source is not None else None
        for calls, again in reversed(around):
            calls.inside = True
            if again and calls.number < len(calls.seen):
                buffers, state = calls.seen[calls.number]
                for module, values in zip(modules, buffers):
                    module._buffers.update({name: x.clone() for name, x in values.items()})
                if source is not None and state is not None:
                    source.set_state(state)
            elif not again:
                values = [{n: x.clone() for n, x in m._buffers.items() if x is not None} for m in modules]
                calls.seen.append((values, source.get_state() if source is not None else None))
            calls.number += 1
        try:
            return forward(self, *args, **kwargs)
        finally:
            for calls, again in around:
                calls.inside = False
                if again:
                    for module, values in zip(modules, held):
                        module._buffers.update(values)
                    if source is not None and drawn is not None:
                        source.set_state(drawn)

    return run
'''

DERIVATIVE = '''
def derivative(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The derivative of a scalar function in its first operand. The function may change states, as batch norm does."""

    def derived(x: Tensor, *others: Tensor | None) -> Tensor:
        traced = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
        if traced or torch.is_inference_mode_enabled():
            return torch.func.grad(function)(x, *others)
        further = torch.is_grad_enabled()
        kept = torch.autograd.graph.saved_tensors_hooks(lambda y: y, lambda y: y)
        with kept, torch.enable_grad():  # an activation checkpoint does not run again for it
            given = x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
            y = function(given, *others)
            if not y.requires_grad:
                return torch.zeros_like(x)
            (found,) = torch.autograd.grad(y, given, create_graph=further, materialize_grads=True)
        return found

    return derived
'''

REPLAY = MappingProxyType({"once": DONE_ONCE, "moved once": MOVED_ONCE, "derivative": DERIVATIVE})
