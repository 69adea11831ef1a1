"""Automatic judges, reward models and metrics. Pure: knows neither Django nor Celery."""
