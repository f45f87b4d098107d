"""The dialects of other serving systems: each decodes, asks for the same prediction, encodes."""
