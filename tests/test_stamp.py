"""The heads of written files: in every format, with any words, and what any bytes make of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ogive
from ogive.backends.diagram.diagram import FORMATS
from ogive.backends.diagram.png import SIGNATURE
from ogive.backends.onnx_model.serialize.metadata import metadata
from ogive.stamp import Stamp, intact

MODEL = ogive.source("block F(x: [b, n]) -> [b, n]:\n    return relu(x)\nmodel M = F").models["M"]
BARE = {format: MODEL.diagram().bytes(format) for format in FORMATS} | {"py": MODEL.torch_source().encode()}
WORDS = st.text(max_size=30)
STATICS = st.dictionaries(WORDS, st.one_of(st.integers(), st.booleans(), WORDS, st.lists(st.integers(), max_size=40)))


@given(WORDS, STATICS, st.sampled_from(sorted(BARE)), st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_what_is_signed_is_intact_until_it_is_changed(
    name: str, statics: dict[str, object], format: str, at: int, change: int
) -> None:
    """Any byte that changes shows, whatever stands in the head."""
    stamp = Stamp("net.arch", "0" * 16, "M").named(name, statics)
    data = stamp.signed(BARE[format], format)
    assert intact(data)
    assert stamp.signed(BARE[format], format) == data
    at %= len(data)
    changed = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
    if changed.replace(b"\r\n", b"\n") != data and not data.startswith(SIGNATURE):
        assert not intact(changed)
    assert not intact(data[:at])
    assert not intact(BARE[format]) or format == "py"


def test_a_picture_cut_inside_of_its_head_is_not_intact() -> None:
    data = Stamp("net.arch", "0" * 16, "M").named("", {"\x7f": 0, "ä": "€" * 20}).signed(BARE["png"], "png")
    assert intact(data)
    assert not any(intact(data[:at]) for at in range(len(data)))


@given(st.binary(max_size=200), st.sampled_from([b"", SIGNATURE, b"Ogive 0\nsha256 " + b"0" * 64]))
def test_any_bytes_have_a_head_or_none(data: bytes, start: bytes) -> None:
    assert not intact(start + data)


@given(data=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_have_metadata_or_are_no_model(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(data)
    try:
        assert isinstance(metadata(tmp_path / "m.onnx"), dict)
    except ValueError:
        pass


def test_long_heads_pass_the_formatter(tmp_path: Path) -> None:
    for widths in (["1"], ["123456"] * 60, ["x" * 300]):
        text = Stamp("net.arch", "0" * 16, "M").named("Net", {"widths": widths, "depth": 3}).signed(BARE["py"], "py")
        (tmp_path / "m.py").write_bytes(text)
        done = subprocess.run([sys.executable, "-m", "ruff", "format", "--check", "m.py"], cwd=tmp_path, check=False)
        assert done.returncode == 0
        compile(text, "m.py", "exec")


@pytest.mark.parametrize("name", ["GPT2", "Tiny"])
def test_a_head_has_all_statics(name: str) -> None:
    path = Path(__file__).parents[1] / "examples" / "gpt2.arch"
    words = ogive.load(path).models[name].origin.stamp.words
    numbers = {"GPT2": "vocab=50257, context=1024, d=768, heads=12, depth=12", "Tiny": "vocab=64, context=16, d=16"}
    assert f"{name}[{numbers[name]}" in words
    assert "gpt2.arch" in words
    assert str(path.parent) not in words
