"""What a program written for Memsy does with its released clients; runs in the client's own environment, see `run`."""
