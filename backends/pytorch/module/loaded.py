"""Emitted texts as modules of Python: one for each text, named by its hash, whose objects carry the text in pickles.

A pickle names classes by their modules, and no other process has these. So an object of an emitted class is pickled
as a call of `remade` with the text, which is stored once; a subclass, or a class of a file, is pickled as any other.
"""

from __future__ import annotations

import copyreg
import hashlib
import linecache
import sys
from importlib.abc import InspectLoader
from importlib.util import module_from_spec, spec_from_loader
from threading import RLock
from types import ModuleType
from typing import Any

from ogive.backends.pytorch.module.training import METHODS
from ogive.backends.pytorch.module.whole import starts_whole, steps_once

PREFIX = "ogive_model_"
_lock = RLock()


class TextLoader(InspectLoader):
    """Holds the text of one module, also for tools that ask for the source."""

    def __init__(self, text: str, model: str) -> None:
        self.text = text
        self.model = model
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        self.name = f"{PREFIX}{model}_{digest[:16]}"
        self.path = f"<{self.name}>"

    def get_source(self, fullname: str) -> str:
        return self.text

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self.text, self.path, "exec", dont_inherit=True)  # annotations are what the text says
        exec(code, module.__dict__)
        for each in list(vars(module).values()):
            if isinstance(each, type) and each.__module__ == self.name:
                each.__reduce_ex__ = _reduced  # type: ignore[method-assign, assignment]
                if "init_weights" in vars(each):
                    each.init_weights = starts_whole(each.init_weights)  # type: ignore[attr-defined]
                    for method in METHODS:
                        setattr(each, method.__name__, method)
                if "after_step" in vars(each):
                    each.after_step = steps_once(each.after_step)  # type: ignore[attr-defined]


def load(text: str, model: str) -> ModuleType:
    """The module of a text, executed at the first call. Tracebacks show its lines."""
    loader = TextLoader(text, model)
    with _lock:
        # tools that look whether files have changed drop what has none
        linecache.cache[loader.path] = (len(text), None, text.splitlines(keepends=True), loader.path)
        known = sys.modules.get(loader.name)
        if known is not None:
            return known
        spec = spec_from_loader(loader.name, loader, origin=loader.path)
        assert spec is not None
        module = module_from_spec(spec)
        module.__file__ = loader.path
        sys.modules[loader.name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[loader.name]
            raise
        return module


def remade(text: str, model: str, name: str, *given: object) -> Any:
    """What a pickle of an object begins with: an instance of the class of that name, still without its state."""
    kind: Any = getattr(load(text, model), name)
    return kind.__new__(kind, *given)


def _reduced(self: object, protocol: Any) -> str | tuple[Any, ...]:
    """As any object, but that the class is found by its text."""
    made = object.__reduce_ex__(self, max(2, int(protocol)))
    if isinstance(made, str) or made[0] is not copyreg.__newobj__:  # type: ignore[attr-defined]
        return made
    kind: Any = made[1][0]
    name: str = kind.__qualname__
    module = sys.modules.get(kind.__module__)
    loader = getattr(module, "__loader__", None)
    if not isinstance(loader, TextLoader) or getattr(module, name, None) is not kind:
        return made  # a subclass, also one that has taken over these names
    return (remade, (loader.text, loader.model, name, *made[1][1:]), *made[2:])
