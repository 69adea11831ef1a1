"""A flat list: each stage brings its own pages."""

from django.contrib import admin
from django.urls import include, path

from arena.core import views as core

urlpatterns = [
    path("", include("arena.leaderboards.urls")),
    path("", include("arena.battles.urls")),
    path("", include("arena.votes.urls")),
    path("data/", include("arena.exports.urls")),
    path("methodology/", core.methodology, name="methodology"),
    path("privacy/", core.privacy, name="privacy"),
    path("health/live", core.health_live, name="health_live"),
    path("health/ready", core.health_ready, name="health_ready"),
    path("admin/generation/", include("arena.generation.urls")),
    path("admin/", admin.site.urls),
]
