"""The ONNX backend: a model file from the IR directly, without tracing."""
