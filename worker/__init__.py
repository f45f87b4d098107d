"""Takes training jobs from the queue, trains, judges and publishes."""
