"""The command line and the Python client: they speak HTTP to the service."""
