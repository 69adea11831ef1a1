# One image for web, workers and beat; the command decides which. Build with TORCH=1 for the GPU worker.
FROM python:3.11-slim

ARG TORCH=""
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DJANGO_SETTINGS_MODULE=arena.settings \
    ARENA_VAR=/var/lib/arena \
    STATIC_ROOT=/srv/arena/static

RUN useradd --system --uid 10001 --home-dir /var/lib/arena --create-home arena
WORKDIR /srv/arena

COPY requirements/app.lock requirements/gpu.txt requirements/torch.txt requirements/
RUN pip install --require-hashes -r requirements/app.lock \
    && if [ -n "$TORCH" ]; then pip install -r requirements/gpu.txt; fi

COPY manage.py ./
COPY arena arena
COPY evaluators evaluators
COPY workers workers
COPY templates templates

# Fingerprints and compresses the static files. Needs settings that can be read, and no database.
RUN ARENA_ENV=production SECRET_KEY=only-for-this-step python manage.py collectstatic --noinput --verbosity 0

USER arena
EXPOSE 8000
CMD ["gunicorn", "arena.wsgi", "--bind", "0.0.0.0:8000"]
