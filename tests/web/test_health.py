from datetime import timedelta
from unittest import mock

import pytest
from django.db import DatabaseError
from django.utils import timezone

from arena.core import health
from arena.core.models import Heartbeat

pytestmark = pytest.mark.django_db


def beat(name, age_s=0):
    Heartbeat.objects.update_or_create(
        name=name, defaults={"seen_at": timezone.now() - timedelta(seconds=age_s)}
    )


@pytest.fixture
def all_well():
    for name in ("worker:default", "worker:generate", "snapshots"):
        beat(name)


def test_live_needs_nothing(client):
    assert client.get("/health/live").json() == {"status": "alive"}


def test_ready_when_everything_was_seen_lately(client, all_well):
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json()["status"] == "ok", response.json()


def test_a_silent_worker_degrades_but_votes_can_be_stored(client, all_well):
    beat("worker:generate", age_s=600)
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert list(response.json()["degraded"]) == ["worker:generate"]


def test_a_dead_broker_degrades(client, all_well, settings):
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert list(response.json()["degraded"]) == ["broker"]


def test_boards_that_are_not_refreshed_degrade(client, all_well):
    beat("snapshots", age_s=3600)
    assert list(client.get("/health/ready").json()["degraded"]) == ["snapshots"]


def test_a_database_that_refuses_a_write_makes_the_site_unready(client, all_well):
    with mock.patch.object(health, "heartbeat", side_effect=DatabaseError):
        assert client.get("/health/ready").status_code == 503
