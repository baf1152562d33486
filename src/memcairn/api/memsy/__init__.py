"""The Memsy door: Memsy's HTTP API under `/memsy`, so that its released clients work unchanged."""
