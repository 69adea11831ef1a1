"""How to run a System: one module per kind of backend. Pure: knows neither Django nor Celery."""
