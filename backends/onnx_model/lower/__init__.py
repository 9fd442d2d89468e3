"""From definitions to ONNX: interpreter, loops, functions."""
