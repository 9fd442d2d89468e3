"""ONNX graphs as modules of PyTorch, which are imported as any other: scopes are modules, functions are classes."""
