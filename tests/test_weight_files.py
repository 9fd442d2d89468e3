"""Files of weights: one reader for all backends, which refuses what is damaged, hostile or of another kind."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import ogive
from ogive.backends.onnx_model.serialize.external_data import of_file as arrays_of
from ogive.backends.weights import files
from ogive.backends.weights.header import header
from ogive.cli import cli
from ogive.grammar.diagnostics import ArchError
from test_checkpoints import FOLDED, MODEL, TEXT, state

KINDS = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int8, torch.uint8,
         torch.bool, torch.complex64, torch.complex128]  # fmt: skip


NAMES = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=5)
SHAPES = st.lists(st.integers(0, 3), max_size=3)


@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(KINDS), SHAPES), max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_backends_read_the_same(tmp_path: Path, shapes: dict[str, tuple[torch.dtype, list[int]]]) -> None:
    tensors = {name: (torch.randn(shape, dtype=torch.complex64) * 3).real.to(dtype) if not dtype.is_complex
               else torch.randn(shape, dtype=dtype) for name, (dtype, shape) in shapes.items()
               if name != "__metadata__"}  # fmt: skip
    tensors |= {f"{name} again": tensor for name, tensor in list(tensors.items())[:1]}
    with (tmp_path / "w.safetensors").open("wb") as file:
        files.dump(file, tensors)
    read, seen = files.read(tmp_path / "w.safetensors"), dict(arrays_of(tmp_path / "w.safetensors"))
    assert read.keys() == seen.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)
        ours = seen[name].astype(np.float32) if tensor.dtype == torch.bfloat16 else seen[name]
        np.testing.assert_array_equal(ours, (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())


def test_complex_weights_are_kept_in_both_widths(tmp_path: Path) -> None:
    text = """
block F[d](x: [b, d]) -> [b, d]:
    param w: complex[d] = normal
    return real(cast[complex](x) * w)
model M = F[3]
"""
    model = ogive.source(text).models["M"]
    for dtype in (torch.complex64, torch.complex128):
        state = {"w": torch.randn(3, dtype=dtype).conj()}
        model.save_weights(tmp_path / "w.safetensors", state, force=True)
        loaded = model.load_weights(tmp_path / "w.safetensors")["w"]
        assert loaded.dtype == dtype
        assert torch.equal(loaded, state["w"])
    with pytest.raises(ArchError, match="holds float32, not complex numbers"):
        model.load_weights({"w": torch.ones(3)})


def made(head: Any, body: bytes = b"", length: int | None = None) -> bytes:
    """A file of safetensors with this head."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(start: int = 0, end: int = 36, shape: Any = (3, 3), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape) if isinstance(shape, tuple) else shape, "data_offsets": [start, end]}


BODY = bytes(36)
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "short": b"\x01\x02",
    "no head": made(b"", b""),
    "a head longer than the file": made(b"{}", b"", 1 << 20),
    "a head of exabytes": made(b"{}", b"", (1 << 64) - 1),
    "a head of 200 MB": made(b"{}", b"", 200 << 20),
    "cut": made({"a": entry()}, BODY)[:-4],
    "too long": made({"a": entry()}, BODY + b"more"),
    "overlapping": made({"a": entry(0, 36), "b": entry(18, 54)}, bytes(54)),
    "a hole": made({"a": entry(4, 40)}, bytes(40)),
    "backwards": made({"a": entry(36, 0)}, BODY),
    "beyond the end": made({"a": entry(0, 1 << 40)}, BODY),
    "a shape that is too large": made({"a": entry(shape=(1 << 40, 1 << 40))}, BODY),
    "a negative size": made({"a": entry(shape=(-3, -3))}, BODY),
    "a shape of another size": made({"a": entry(shape=(3, 4))}, BODY),
    "no shape": made({"a": entry(shape=None)}, BODY),
    "unknown type": made({"a": entry(dtype="F7")}, BODY),
    "no type": made({"a": entry(dtype=3)}, BODY),
    "an entry that is none": made({"a": 1}, BODY),
    "a list": made([], b""),
    "a number": made(b"3", b""),
    "nested": made(b"[" * 100_000, b""),
    "no text": made(b"\xff\xfe{}", b""),
    "metadata of numbers": made({"__metadata__": {"a": 1}, "a": entry()}, BODY),
    "a tie to nothing": made({"__metadata__": {"ogive.ties": '{"b": "none"}'}, "a": entry()}, BODY),
    "a tie of what is there": made({"__metadata__": {"ogive.ties": '{"a": "a"}'}, "a": entry()}, BODY),
    "ties that are none": made({"__metadata__": {"ogive.ties": "[]"}, "a": entry()}, BODY),
    "deep ties": made({"__metadata__": {"ogive.ties": "[" * 100_000}, "a": entry()}, BODY),
    "ties to a list": made({"__metadata__": {"ogive.ties": '{"b": ["a"]}'}, "a": entry()}, BODY),
    "pairs that are none": made({"__metadata__": {"ogive.pairs": '["a"]'}, "a": entry()}, BODY),
    "a name twice": made(b'{"a": %s, "a": %s}' % ((json.dumps(entry()).encode(),) * 2), BODY),
    "pairs of nothing": made({"__metadata__": {"ogive.pairs": "[3]"}, "a": entry()}, BODY),
    "a zip": b"PK\x03\x04" + bytes(40),
    "a pickle": b"\x80\x04\x95" + bytes(40),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_by_every_path(name: str, tmp_path: Path) -> None:
    path, program = tmp_path / "w.safetensors", tmp_path / "m.arch"
    path.write_bytes(HOSTILE[name])
    program.write_text(TEXT)
    for use in (
        MODEL.load_weights,
        FOLDED.convert,
        lambda file: MODEL.onnx(tmp_path / "m.onnx", file),
        files.read,
        lambda file: dict(arrays_of(file)),
    ):
        with pytest.raises(ArchError, match="E0822"):
            use(path)
    builds = [["build", f"{program}:M", "-o", f"{tmp_path}/m.{ending}"] for ending in ("py", "onnx")]
    for args in (*builds, ["deploy", f"{program}:M", "-o", f"{tmp_path}/m.py"]):
        result = CliRunner().invoke(cli, [*args, "--weights", str(path)], catch_exceptions=False)
        assert (result.exit_code, "E0822" in result.output) == (1, True), result.output
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.arch", "w.safetensors"]
    MODEL.save_weights(tmp_path / "v.safetensors", MODEL.torch())
    with pytest.raises(ArchError, match="E0825"):  # and no such file is taken for one of ours
        MODEL.save_weights(path, MODEL.torch())


def test_an_ignored_tensor_may_be_of_any_kind(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('[ignore]\nnames = ["scale"]\n')
    save_file({**state(), "scale": torch.ones(3).to(torch.float8_e4m3fn)}, tmp_path / "w.safetensors")
    MODEL.load_weights(tmp_path / "w.safetensors", tmp_path / "map.toml")
    MODEL.onnx(tmp_path / "m.onnx", tmp_path / "w.safetensors", tmp_path / "map.toml")
    with pytest.raises(ArchError, match="`scale`"):
        MODEL.onnx(tmp_path / "m.onnx", tmp_path / "w.safetensors")


def test_heads_of_every_size_are_read(tmp_path: Path) -> None:
    """The size of the head comes first in a file: it may look like the start of a pickle."""
    sizes = set()
    for length in range(0, 1600, 8):
        path = tmp_path / "m.safetensors"
        save_file({"w": torch.ones(2)}, path, {"note": "x" * length})
        sizes.add(int.from_bytes(path.read_bytes()[:8], "little"))
        assert header(path).entries["w"].shape == (2,)
    assert {0x280, 0x480, 0x580} <= sizes
