"""What travels along in the ONNX files of `Model.onnx`: the declarations of the inputs and their conditions."""

from __future__ import annotations

from ogive.backends.onnx_model.serialize.contract import Contract

__all__ = ["Contract"]
