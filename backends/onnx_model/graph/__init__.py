"""The ONNX graph while it is built: nodes, constants, sizes."""
