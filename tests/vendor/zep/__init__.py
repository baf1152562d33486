"""What a program written for Zep does with its released client; runs in the client's own environment, see `run`."""
