"""What a run of a model costs: multiply-adds, FLOPs, activations, what backward keeps."""
