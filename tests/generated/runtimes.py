"""Programs as ONNX: by the evaluator of the standard and by ONNX Runtime, against the reference."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from generated.close import CANCELLED, EXACT, SINGLE, TIMES, Bound, Differs, compare
from generated.evaluator import evaluated, words_of
from generated.subject import UNIT, Run, Subject, Unfit
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import checked
from reference.arrays import Numbers

KINDS = {"f64": np.float64, "f32": np.float32}


def proto_of(subject: Subject, kind: str, **more: Any) -> ModelProto:
    """The model with its weights, checked as the standard asks."""
    arrays = {path: w.astype(KINDS[kind]) if w.dtype.kind == "f" else w for path, w in subject.weights.items()}
    optional, ranks = tuple(subject.program.optional), {p: len(axes) for p, axes in subject.program.packs.items()}
    settings = Settings(dtype=kind, optional=optional, ranks={} if "sizes" in more else ranks, **more)
    proto = whole(exported(subject.model.ir, arrays, settings))
    checked(proto)
    return proto


def feeds_of(subject: Subject, proto: ModelProto, kind: str) -> dict[str, Numbers]:
    """The inputs as the graph takes them: complex numbers as pairs."""
    given = []
    for x in subject.inputs:
        if x is None:
            continue
        if x.dtype.kind == "c":
            x = np.stack([x.real, x.imag], -1)
        given.append(x.astype(KINDS[kind]) if x.dtype.kind == "f" else x)
    return {value.name: x for value, x in zip(proto.graph.input, given, strict=True)}


def session(proto: ModelProto) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread, with its default optimizations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def paired(y: Numbers) -> Numbers:
    """A result as ONNX gives it."""
    return np.stack([y.real, y.imag], -1) if y.dtype.kind == "c" else y


def in_onnx(subject: Subject, run: Run, rng: random.Random, done: dict[str, str]) -> None:
    """The graph in float64 by the standard's evaluator, and by ONNX Runtime in float64 or else in float32."""
    more: dict[str, Any] = {}
    if rng.random() < 0.2:
        more["functions"] = True
    if rng.random() < 0.15:
        more["opset"] = rng.choice((20, 21, 22, 24))
    proto = exported_or_why(subject, done, more)
    if proto is None:
        return
    wanted = [paired(y) for y in run.numbers]
    by_standard(subject, proto, run, wanted, done)
    try:
        opened = session(proto)
        got = opened.run(None, feeds_of(subject, proto, "f64"))
    except (runtime.NotImplemented, runtime.InvalidGraph) as error:
        if "NOT_IMPLEMENTED" not in str(error) and "not implemented" not in str(error).lower():
            raise Differs("onnxruntime f64", str(error)[:300]) from None
    except Exception as error:
        raise Differs("onnxruntime f64", f"{type(error).__name__}: {str(error)[:300]}") from None
    else:
        if run.cancels:
            try:
                run = subject.measured(UNIT["f64"], times=3, kernels=True)
            except Unfit:
                done["onnxruntime"] = "f64 not compared: a decision flips"
                return
        limit = Bound(EXACT, run.spread, TIMES["f64"], CANCELLED["f64"] * run.world.largest)
        compare("onnxruntime f64", [np.asarray(y) for y in got], wanted, limit)
        done["onnxruntime"] = "f64"
        return
    single(subject, wanted, done, more)


def drawn_in_onnx(subject: Subject, wanted: Sequence[Numbers], done: dict[str, str]) -> None:
    """A program that draws in ONNX Runtime: the shapes and the types of what the reference gives."""
    if exported_or_why(subject, done, {}) is None:
        return
    proto = proto_of(subject, "f32", sizes=subject.fixed)
    got = [np.asarray(y) for y in session(proto).run(None, feeds_of(subject, proto, "f32"))]
    for number, (a, b) in enumerate(zip(got, wanted, strict=True)):
        kind = np.dtype(np.float32) if b.dtype.kind == "f" else b.dtype
        if a.shape != b.shape or a.dtype != kind:
            raise Differs(
                "onnxruntime that draws", f"result {number} is {a.dtype}{list(a.shape)}, not {kind}{list(b.shape)}"
            )
    done["onnxruntime"] = "draws"


def shortened(subject: Subject, run: Run, *, training: bool = False) -> Run:
    """The run, with what settings rounded to float32 change: torch derives with such."""
    results, _, _ = subject.reference(short=True, training=training)
    moved = [y.value for y in results if y is not None]
    gaps = [
        float(np.abs(a - b).max(initial=0.0)) if a.dtype.kind in "fc" else 0.0
        for a, b in zip(moved, run.numbers, strict=True)
    ]
    return replace(run, spread=[a + b for a, b in zip(run.spread, gaps, strict=True)])


def exported_or_why(subject: Subject, done: dict[str, str], more: dict[str, Any]) -> ModelProto | None:
    """The graph; with the sizes of this run where it needs them; None where it is refused."""
    for attempt in range(2):
        try:
            return proto_of(subject, "f64", **more)
        except OnnxError as error:
            if attempt or "`sizes`" not in error.text:
                done["onnx"] = f"{error.code}: {_plain(error.text)}"
                return None
            more["sizes"] = subject.fixed
    return None


def _plain(text: str) -> str:
    import re

    return re.sub(r"`(?!grad|einsum|\*\*)[^` ]*`(?= of complex)", "`...`", text)[:90]


def single(subject: Subject, wanted: Sequence[Numbers], done: dict[str, str], more: Mapping[str, Any]) -> None:
    """ONNX Runtime in float32, within what rounding explains."""
    exact = {path: w.copy() for path, w in subject.weights.items()}
    inputs = list(subject.inputs)
    # the numbers of float32, so that only what is computed rounds
    subject.weights = {
        p: w.astype(np.float32).astype(np.float64) if w.dtype.kind == "f" else w for p, w in exact.items()
    }
    subject.inputs = [x if x is None or x.dtype.kind not in "fc" else _single(x) for x in inputs]
    try:
        try:
            run = subject.measured(UNIT["f32"], times=3, kernels=True)
        except Unfit:
            done["onnxruntime"] = "f32 not compared: a decision flips"
            return
        proto = proto_of(subject, "f32", **more)
        try:
            got = session(proto).run(None, feeds_of(subject, proto, "f32"))
        except runtime.NotImplemented as error:
            if not subject.program.low:
                raise Differs("onnxruntime f32", str(error)[:300]) from None
            done["onnxruntime"] = "lacks kernels in half precision"
            return
        except Exception as error:
            raise Differs("onnxruntime f32", f"{type(error).__name__}: {str(error)[:300]}") from None
        there = [paired(y) for y in run.numbers]
        found = [np.asarray(y) for y in got]
        for number, (a, b) in enumerate(zip(found, there, strict=False)):
            if b.dtype.kind == "f" and a.dtype == np.float32:
                found[number] = a.astype(np.float64)
        compare(
            "onnxruntime f32",
            found,
            there,
            Bound(SINGLE, run.spread, TIMES["f32"], CANCELLED["f32"] * run.world.largest),
        )
        done["onnxruntime"] = "f32"
    finally:
        subject.weights, subject.inputs = exact, inputs


def _single(x: Numbers) -> Numbers:
    return x.astype(np.complex64 if x.dtype.kind == "c" else np.float32).astype(x.dtype)


# --- the evaluator of the standard ------------------------------------------------------------------------------------


def by_standard(subject: Subject, proto: ModelProto, run: Run, wanted: Sequence[Numbers], done: dict[str, str]) -> None:
    """The evaluator, where it lacks nothing."""
    try:
        got = evaluated(proto, feeds_of(subject, proto, "f64"))
    except Exception as error:
        if what := words_of(error):
            done["onnx reference"] = f"lacks: {what}"
            return
        raise Differs("onnx reference", f"{type(error).__name__}: {str(error)[:300]}") from None
    compare("onnx reference", got, wanted, Bound(EXACT, run.spread, TIMES["f64"], CANCELLED["f64"] * run.world.largest))
    done["onnx reference"] = "ok"
