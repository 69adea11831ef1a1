"""Which systems this process holds in memory: the least recently used one goes first."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from workers.backends import registry
from workers.backends.types import Backend

# Kinds whose weights lie in this process: their next job is cheapest here. An endpoint is near to all.
HOLDS_WEIGHTS = frozenset({"transformers"})


class Loaded(NamedTuple):
    kind: str
    fingerprint: str
    backend: Backend


class LoadedBackends:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held: OrderedDict[int, Loaded] = OrderedDict()

    def system_ids(self) -> list[int]:
        """Systems whose next job is best run here, because their weights are in memory."""
        return [system_id for system_id, loaded in self.held.items() if loaded.kind in HOLDS_WEIGHTS]

    def held_ids(self) -> list[int]:
        """All systems whose backend is held, the last used one last."""
        return list(self.held)

    def get(self, *, system_id: int, kind: str, options: Mapping[str, Any]) -> Backend:
        """The system's backend; created again when its options changed since."""
        fingerprint = json.dumps([kind, options], sort_keys=True)
        loaded = self.held.pop(system_id, None)
        if loaded and loaded.fingerprint != fingerprint:
            loaded.backend.close()
            loaded = None
        if loaded is None:
            while len(self.held) >= self.capacity:
                self.held.popitem(last=False)[1].backend.close()
            loaded = Loaded(kind, fingerprint, registry.create(kind, options))
        self.held[system_id] = loaded
        return loaded.backend


loaded_backends = LoadedBackends(capacity=int(os.environ.get("LOADED_SYSTEMS_MAX", "8")))
