"""What bodies of numbers are called."""

JSON, OCTETS = "application/json", "application/octet-stream"
