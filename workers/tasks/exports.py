"""Write a data release."""

from __future__ import annotations

from arena.core.queue import Task
from arena.exports.models import Export
from arena.exports.services import export_build
from workers.celery import app


@app.task(name=Task.EXPORT.value, soft_time_limit=1500, time_limit=1800)
def build(export_id: int) -> None:
    export_build(export=Export.objects.get(pk=export_id))
