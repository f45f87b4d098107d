"""Training jobs as service and worker both see them: records in Redis, and their states."""
