"""Jobs ask for responses; responses are what came back, for ever."""

from __future__ import annotations

import hashlib
import uuid

from django.db import models

from arena.accounts.models import Voter
from arena.catalog.models import Prompt, System
from arena.core.models import TimestampedModel


class Job(TimestampedModel):
    """A request that a response be made. The row is the queue; Celery's message only says "look"."""

    class Purpose(models.TextChoices):
        LIVE = "live", "A voter waits"
        TEST = "test", "An admin tests a system"
        STOCK = "stock", "Made ahead for the prompt set"
        PROBE = "probe", "Is the system back?"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="jobs")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="jobs")
    purpose = models.CharField(max_length=10, choices=Purpose)
    seed = models.BigIntegerField()
    priority = models.SmallIntegerField(default=0, help_text="Higher is served first.")
    requested_by = models.ForeignKey(Voter, null=True, blank=True, on_delete=models.SET_NULL)

    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease = models.UUIDField(null=True, blank=True, help_text="Held by the worker that runs the job.")
    worker = models.CharField(max_length=120, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True, help_text="A retry waits until then.")
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=400, blank=True, help_text="In plain words.")
    error_kind = models.CharField(max_length=60, blank=True)
    is_retryable = models.BooleanField(default=False, help_text="The failure may pass by itself.")
    traceback = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["system", "prompt", "seed"],
                condition=models.Q(purpose="stock"),
                name="stock_job_once_per_system_prompt_seed",
            ),
        ]
        indexes = [
            models.Index(fields=["-priority", "id"], condition=models.Q(status="queued"), name="job_queue"),
            models.Index(fields=["heartbeat_at"], condition=models.Q(status="running"), name="job_running"),
            models.Index(
                fields=["purpose"],
                condition=models.Q(status__in=["queued", "running"]),
                name="job_unfinished",
            ),
            models.Index(
                fields=["id"], condition=models.Q(status="failed", purpose="live"), name="job_failed_live"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}: {self.system} ({self.status})"

    @property
    def is_shown(self) -> bool:
        """False for what never enters a battle: an admin's test, a probe."""
        return self.purpose in (self.Purpose.LIVE, self.Purpose.STOCK)

    @property
    def is_finished(self) -> bool:
        return self.status in (self.Status.DONE, self.Status.FAILED, self.Status.CANCELLED)


class Response(TimestampedModel):
    """One system's immutable output for one prompt, with provenance."""

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="responses")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="responses")
    job = models.OneToOneField(Job, null=True, blank=True, on_delete=models.PROTECT, related_name="response")
    text = models.TextField()
    checksum = models.CharField(max_length=64, help_text="SHA-256 of the text.")
    is_test = models.BooleanField(default=False, help_text="Made by “Test it”; never enters a battle.")
    is_stock = models.BooleanField(default=True, help_text="May be drawn for any voter's battle.")
    finish_reason = models.CharField(max_length=20, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    queue_s = models.FloatField(null=True, blank=True)
    load_s = models.FloatField(null=True, blank=True)
    first_token_s = models.FloatField(null=True, blank=True)
    total_s = models.FloatField(null=True, blank=True)
    provenance = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes = [models.Index(fields=["prompt", "system"], name="response_by_prompt_system")]

    def __str__(self) -> str:
        return f"{self.system} on “{self.prompt}”"

    @staticmethod
    def checksum_of(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()


class StreamedText(models.Model):
    """Text of a running job, so that a page can show it before the response exists; swept when done."""

    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="streamed")
    attempt = models.UUIDField(default=uuid.uuid4, help_text="The lease under which it was written.")
    text = models.TextField(blank=True)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{len(self.text)} characters of job {self.job_id}"


class SystemHealth(models.Model):
    """How the system's last jobs went: what takes it out of service."""

    system = models.OneToOneField(System, primary_key=True, on_delete=models.CASCADE, related_name="health")
    failures_in_a_row = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "system health"

    def __str__(self) -> str:
        return f"{self.system}: {self.failures_in_a_row} failures in a row"


class OutageQuerySet(models.QuerySet["Outage"]):
    def standing(self) -> OutageQuerySet:
        return self.filter(ended_at__isnull=True)


class Outage(TimestampedModel):
    """A time in which a system is asked nothing but probes."""

    class Kind(models.TextChoices):
        AUTOMATIC = "automatic", "It failed again and again"
        MANUAL = "manual", "Switched off"

    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="outages")
    kind = models.CharField(max_length=10, choices=Kind)
    reason = models.CharField(max_length=400)
    error_kind = models.CharField(max_length=60, blank=True)
    begun_by = models.CharField(max_length=150, blank=True)
    probes = models.PositiveSmallIntegerField(default=0)
    probe_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True)

    objects = OutageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["system"],
                condition=models.Q(ended_at__isnull=True),
                name="one_standing_outage_per_system",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="manual", probe_at__isnull=True)
                | models.Q(kind="automatic", probe_at__isnull=False),
                name="automatic_outages_are_probed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system}: {self.get_kind_display().lower()}"


class WorkerProcess(models.Model):
    """A process that answers jobs, as it last said of itself."""

    name = models.CharField(max_length=120, primary_key=True, help_text="Host and process number.")
    seen_at = models.DateTimeField()
    begun_at = models.DateTimeField()
    code_version = models.CharField(max_length=40)
    systems = models.JSONField(default=list, help_text="Systems whose backend it holds, last used last.")

    class Meta:
        verbose_name_plural = "worker processes"

    def __str__(self) -> str:
        return self.name
