"""Runs the product on one machine: Postgres, Valkey, models, workers and web as our own children.

Standard library and the packaged binaries only; Django and Celery are started from here, never imported.
"""
