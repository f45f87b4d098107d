"""HTTP: decode, predict, enqueue, manage versions."""
