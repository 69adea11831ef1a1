import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.core.queue import Task
from arena.exports import services
from arena.exports.importers.folder import recognise
from arena.exports.importers.run import Imported, set_import
from tests import factories
from tests.exports.builders import cast

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def export_dir(settings, tmp_path: Path) -> Path:
    settings.EXPORT_DIR = tmp_path / "exports"
    return settings.EXPORT_DIR


@pytest.fixture(autouse=True)
def sent(monkeypatch) -> list[tuple[Task, dict]]:
    """What was put on the queue."""
    messages: list[tuple[Task, dict]] = []
    monkeypatch.setattr(services, "enqueue", lambda task, **ids: messages.append((task, ids)))
    return messages


@pytest.fixture
def published(request) -> Path:
    """The folder of published vote files."""
    folder = os.environ.get("ARENA_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ARENA_DATA does not name a folder of published vote files")
    return Path(folder)


@pytest.fixture
def import_folder():
    def run(folder: Path, source: str, **options) -> Imported:
        file_set = next(found for found in recognise(folder).sets if found.source == source)
        return set_import(file_set=file_set, now=NOW, **options)

    return run


@pytest.fixture
def voted():
    """An arena with three systems, two prompts and votes of three people, on a board of people."""
    arena = factories.arena(systems=3, prompts=2, answered=True, name="Kitchen", slug="kitchen")
    factories.board(arena, slug="people", name="People", position=1)
    one, two, three = arena.systems.order_by("pk")
    first, second = arena.prompt_sets.get().prompts.order_by("pk")
    anna, ben, carl = (factories.voter() for _ in range(3))
    cast(arena, [one, two], [1, 2], prompt=first, voter=anna)
    cast(arena, [two, one], [1, 2], prompt=second, voter=ben, input="keyboard")
    cast(arena, [two, three], [1, 2], prompt=first, voter=anna)
    cast(arena, [three, one], [1, 2], prompt=second, voter=carl)
    cast(arena, [three, two], [1, 1], prompt=second, voter=ben)
    cast(arena, [three, two], [1, 1], prompt=first, voter=carl, all_bad=True)
    return arena
