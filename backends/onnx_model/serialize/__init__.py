"""Files: protos, external data, and the contract of inputs."""
