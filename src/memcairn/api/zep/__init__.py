"""The Zep door: Zep's open-source HTTP API, v0.x, under `/zep`, so that its released clients work unchanged."""
