"""Django settings: one file, switched by environment variables; nothing exists only in production."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured

# Lets `ModelAdmin[Vote]` be written at run time as in the type checker.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    """Read a setting; NAME_FILE names a file that holds the value (Docker and Kubernetes secrets)."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        return Path(path).read_text().strip()
    return os.environ.get(name, default)


def env_list(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in env(name, default).split(",") if part.strip()]


def env_int(name: str, default: int) -> int:
    value = env(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from error


# development | demo | production. Only production insists on TLS; nothing else differs in behaviour.
ARENA_ENV = env("ARENA_ENV", "development")
PRODUCTION = ARENA_ENV == "production"
DEBUG = ARENA_ENV == "development" and env("DEBUG") == "1"

VAR_DIR = Path(env("ARENA_VAR", str(BASE_DIR / "var"))).resolve()
EXPORT_DIR = VAR_DIR / "exports"
MODEL_CACHE_DIR = VAR_DIR / "models"

SECRET_KEY = env("SECRET_KEY")
if not SECRET_KEY:
    if PRODUCTION:
        raise ImproperlyConfigured("Set SECRET_KEY (or SECRET_KEY_FILE) to a long random string.")
    SECRET_KEY = "development-only-key-never-used-in-production-or-by-make-demo"  # noqa: S105

ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")
BASE_URL = env("ARENA_BASE_URL", "http://localhost:8000").rstrip("/")


def database(url: str) -> dict[str, Any]:
    """Turn `postgresql://user:password@host:port/name?host=/socket/dir` into Django's dictionary."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured(
            "DATABASE_URL must start with postgresql:// : Arena runs on PostgreSQL only."
        )
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "arena",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", None) or parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **query,
            "pool": {"min_size": 1, "max_size": env_int("DATABASE_POOL", 20), "timeout": 10},
        },
    }


DATABASES = {"default": database(env("DATABASE_URL", "postgresql://arena@localhost/arena"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "arena.core.apps.CoreConfig",
    "arena.accounts.apps.AccountsConfig",
    "arena.catalog.apps.CatalogConfig",
    "arena.generation.apps.GenerationConfig",
    "arena.battles.apps.BattlesConfig",
    "arena.votes.apps.VotesConfig",
    "arena.judging.apps.JudgingConfig",
    "arena.leaderboards.apps.LeaderboardsConfig",
    "arena.exports.apps.ExportsConfig",
    "template_partials",
    "django_htmx",
    "csp",
    "django_structlog",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "arena.accounts.middleware.VoterMiddleware",
]

ROOT_URLCONF = "arena.urls"
WSGI_APPLICATION = "arena.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["arena.core.templatetags.arena", "template_partials.templatetags.partials"],
        },
    },
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = Path(env("STATIC_ROOT", str(VAR_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if ARENA_ENV != "development"
        else "django.contrib.staticfiles.storage.StaticFilesStorage",
    },
}
WHITENOISE_USE_FINDERS = ARENA_ENV == "development"
WHITENOISE_AUTOREFRESH = ARENA_ENV == "development"

# Security: no inline script or style anywhere, nothing from another origin.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
SECURE_SSL_REDIRECT = PRODUCTION and env("SECURE_SSL_REDIRECT", "1") == "1"
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env("BEHIND_TLS_PROXY") == "1" else None
SECURE_HSTS_SECONDS = env_int("SECURE_HSTS_SECONDS", 31_536_000 if PRODUCTION else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
CSRF_FAILURE_VIEW = "arena.core.views.csrf_failure"

# Voters, prompts, jobs.
VOTER_COOKIE = "arena_voter"
VOTER_COOKIE_AGE_S = 365 * 24 * 3600
PROMPT_MAX_CHARS = env_int("PROMPT_MAX_CHARS", 4000)
ASKS_PER_VOTER_PER_MINUTE = env_int("ASKS_PER_VOTER_PER_MINUTE", 6)
ASKS_OPEN_PER_VOTER = env_int("ASKS_OPEN_PER_VOTER", 2)
LIVE_QUEUE_MAX = env_int("LIVE_QUEUE_MAX", 50)
# Event streams of one web process; each occupies a thread, so leave at least half of them to pages.
STREAMS_MAX = env_int("STREAMS_MAX", 16)
SNAPSHOT_DEBOUNCE_S = env_int("SNAPSHOT_DEBOUNCE_S", 2)
EXPORT_INTERVAL_S = env_int("EXPORT_INTERVAL_S", 60)
OPENS_PER_ADDRESS_PER_MINUTE = env_int("OPENS_PER_ADDRESS_PER_MINUTE", 240)
ASKS_PER_ADDRESS_PER_MINUTE = env_int("ASKS_PER_ADDRESS_PER_MINUTE", 30)

# Celery. The row is the queue, the message a nudge (see ARCHITECTURE.md); core.checks proves the order
# backend deadline < soft limit < hard limit < lease < visibility timeout.
BROKER_URL = env("BROKER_URL", "redis://localhost:6379/0")
JOB_DEADLINE_S = env_int("JOB_DEADLINE_S", 120)
JOB_SOFT_LIMIT_S = JOB_DEADLINE_S + 20
JOB_HARD_LIMIT_S = JOB_DEADLINE_S + 40
JOB_LEASE_S = JOB_DEADLINE_S + 60
JOB_HEARTBEAT_S = 3
JOB_HEARTBEAT_STALE_S = 15
JOB_MAX_ATTEMPTS = 3
STOCK_RETRY_S = env_int("STOCK_RETRY_S", 300)
BATTLE_UNWATCHED_S = env_int("BATTLE_UNWATCHED_S", 60)
OUTAGE_AFTER_FAILURES = env_int("OUTAGE_AFTER_FAILURES", 3)
OUTAGE_PROBE_S = env_int("OUTAGE_PROBE_S", 30)
OUTAGE_PROBE_LONGEST_S = 1800
BROKER_VISIBILITY_TIMEOUT_S = max(3600, JOB_LEASE_S * 4)

LOG_JSON = env("LOG_FORMAT", "json" if PRODUCTION else "console") == "json"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"structured": {"()": "arena.core.logs.formatter", "as_json": LOG_JSON}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", "INFO")},
    "loggers": {
        "django": {"level": "INFO"},
        "openai": {"level": "WARNING"},
        # Our own lines carry the task's id; a line for every message sent and every task done is noise.
        "django_structlog.celery": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "markdown_it": {"level": "WARNING"},
    },
}
DJANGO_STRUCTLOG_CELERY_ENABLED = True
