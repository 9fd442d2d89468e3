"""What emitted files hold so that updates and draws happen once where an activation checkpoint runs a forward again.

A checkpoint runs its function a second time on the way back, to have the values that it did not keep. Batch norm would
then move its averages twice, a generator would draw other numbers, and a state that was changed would be read anew.
"""

from __future__ import annotations

from types import MappingProxyType

from ogive.backends.python_text.statements import fixed

# where nothing that the forward reads changes in it: on the way back, it moves copies
MOVED_ONCE = '''
def once(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Averages move once: where a checkpoint runs a forward again, copies do."""

    @functools.wraps(forward)
    def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or torch._C._current_graph_task_id() == -1:
            return forward(self, *args, **kwargs)
        held = [(module._buffers, dict(module._buffers)) for module in self.modules()]
        # a selective checkpoint counts the operations that run
        with torch._C._DisableTorchDispatch():
            for buffers, now in held:
                buffers.update(
                    {name: x.clone() for name, x in now.items() if x is not None}
                )
        try:
            return forward(self, *args, **kwargs)
        finally:
            for buffers, now in held:
                buffers.update(now)

    return run
'''

# where the forward reads what it changes, or draws from a generator: what it saw is kept by the checkpoint
DONE_ONCE = '''
# before torch 2.8 it is not known whether tensors are being saved: then they may be
saving = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", bool)


def outside(training: bool) -> bool:
    """Whether no activation checkpoint can be around."""
    # where one hides the gradients, the module trains
    free = torch.is_grad_enabled() or not training
    return free and saving(True) is None and torch._C._current_graph_task_id() == -1


class Calls:
    """The calls under an activation checkpoint, in order.

    Of each, the buffers and the state of the generator that it saw.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[list[dict[str, Tensor]], Tensor | None]] = []
        self.task: int | None = None
        self.number = 0
        self.inside = False

    @staticmethod
    def around() -> tuple[list["Calls"], "Calls | None"]:
        """Of the checkpoints around a call: those that run first, one that runs again."""
        first: list[Calls] = []
        task = torch._C._current_graph_task_id()
        frame: Any = sys._getframe(2)
        while frame is not None:
            name = frame.f_code.co_name
            if frame.f_globals.get("__name__") == "torch.utils.checkpoint":
                found = frame.f_locals
                if name == "unpack_hook" or (name == "backward" and "ctx" in found):
                    calls = vars(
                        found["frame" if name == "unpack_hook" else "ctx"]
                    ).get("calls", Calls())
                    if calls.task != task:
                        calls.task, calls.number, calls.inside = task, 0, False
                    return first, calls
                place = found.get("ctx")
                if (
                    name == "checkpoint"
                    and "gen" in found
                    and found["gen"].gi_frame is not None
                ):
                    place = found["gen"].gi_frame.f_locals["new_frame"]
                if place is not None:
                    first.append(vars(place).setdefault("calls", Calls()))
            elif name == "apply" and "user_fn" in frame.f_locals:
                # the backward pass itself calls what derives
                own = frame.f_locals["user_fn"].__qualname__ == "CustomGrad.backward"
                return first, None if own else Calls()
            frame = frame.f_back
        return first, None if task == -1 else Calls()


def once(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Where an activation checkpoint runs a forward again, it sees what it saw."""

    @functools.wraps(forward)
    def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        source = kwargs.get("generator", args[-1] if args else None)
        source = source if isinstance(source, torch.Generator) else None
        if (
            torch.compiler.is_compiling()
            or not (self.training or source)
            or outside(self.training)
        ):
            return forward(self, *args, **kwargs)
        around, again = Calls.around()
        around = [calls for calls in around if not calls.inside]
        again = None if again is None or again.inside else again
        if not around and again is None:
            return forward(self, *args, **kwargs)
        drawn = state = None if source is None else source.get_state()
        held = [(module._buffers, dict(module._buffers)) for module in self.modules()]
        saw = [{name: x for name, x in now.items() if x is not None} for _, now in held]
        if again is not None:
            if again.number >= len(again.seen):
                raise RuntimeError(
                    f"{type(self).__name__} runs in a backward pass, and which call it "
                    "repeats is not known: it reads what it changes, or draws random "
                    "numbers, so only torch.utils.checkpoint can run it again, with "
                    "use_reentrant=False where it does not train"
                )
            saw, state = again.seen[again.number]
            again.number += 1
        # a selective checkpoint counts the operations that run
        with torch._C._DisableTorchDispatch():
            copies = [
                {name: x.clone() for name, x in buffers.items()} for buffers in saw
            ]
            for (buffers, _), before in zip(held, saw if again is not None else []):
                buffers.update({name: x.clone() for name, x in before.items()})
        for calls in around:
            calls.seen.append((copies, state))
        here = around if again is None else [*around, again]
        for calls in here:
            calls.inside = True
        try:
            if again is not None and source is not None and state is not None:
                source.set_state(state)
            return forward(self, *args, **kwargs)
        finally:
            for calls in here:
                calls.inside = False
            if again is not None:
                for buffers, now in held:
                    buffers.update(now)
                if source is not None and drawn is not None:
                    source.set_state(drawn)

    return run
'''

DERIVATIVE = '''
def derivative(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The derivative in x of a scalar function, which may change states."""

    def derived(x: Tensor, *others: Tensor | None) -> Tensor:
        traced = (
            torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
        )
        if traced or torch.is_inference_mode_enabled():
            return torch.func.grad(function)(x, *others)
        further = torch.is_grad_enabled()
        kept = torch.autograd.graph.saved_tensors_hooks(lambda y: y, lambda y: y)
        # an activation checkpoint does not run again for it
        with kept, torch.enable_grad():
            given = x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
            y = function(given, *others)
            if not y.requires_grad:
                return torch.zeros_like(x)
            (found,) = torch.autograd.grad(
                y, given, create_graph=further, materialize_grads=True
            )
        return found

    return derived
'''

REPLAY = MappingProxyType(
    {
        "once": fixed(DONE_ONCE, "Calls once outside saving", "Any Callable Tensor functools nn sys torch"),
        "moved once": fixed(MOVED_ONCE, "once", "Any Callable functools nn torch"),
        "derivative": fixed(DERIVATIVE, "derivative", "Callable Tensor torch"),
    }
)
