import csv
import gzip
import hashlib
import json
from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError, connection
from psycopg.errors import SerializationFailure

from arena.core.queue import Task
from arena.exports import services
from arena.exports.models import Export
from arena.exports.selectors import STALE_AFTER, export_folder, exports_waiting
from arena.exports.services import (
    ExportTooSoon,
    NothingToExport,
    export_build,
    export_queue,
    export_request,
)
from arena.leaderboards.models import Snapshot
from arena.leaderboards.services import snapshot_build
from arena.ranking.errors import NotConverged
from arena.votes.models import Vote, VoteExclusion
from tests import factories
from tests.exports.builders import cast
from tests.exports.conftest import NOW

Status = Export.Status


def vote_again(arena):
    one, two, _ = arena.systems.order_by("pk")
    return cast(
        arena, [one, two], [1, 2], prompt=arena.prompt_sets.get().prompts.first(), voter=factories.voter()
    )


@pytest.mark.django_db
class TestRequest:
    def test_request_queues_one_release_and_calls_a_worker(self, voted, sent):
        export = export_request(arena=voted, now=NOW)
        assert export.status == Status.QUEUED
        assert sent == [(Task.EXPORT, {"export_id": export.pk})]

    @pytest.mark.parametrize("status", ["queued", "running"])
    def test_second_request_gets_the_release_in_the_making(self, voted, status):
        first = Export.objects.create(arena=voted, status=status, started_at=NOW, created_at=NOW)
        assert export_request(arena=voted, now=NOW + timedelta(hours=1)) == first

    def test_the_database_allows_one_unfinished_release_per_arena(self, voted):
        export_queue(arena=voted, now=NOW)
        with pytest.raises(DatabaseError, match="export_one_unfinished_per_arena"):
            Export.objects.create(arena=voted)

    def test_arenas_do_not_wait_for_each_other(self, voted):
        other = factories.arena(systems=2, prompts=1, answered=True)
        cast(other, list(other.systems.all()), [1, 2], prompt=other.prompt_sets.get().prompts.get())
        assert export_queue(arena=voted, now=NOW) != export_queue(arena=other, now=NOW)

    def test_arena_without_votes_is_refused(self):
        with pytest.raises(NothingToExport, match="Nobody has voted here yet"):
            export_request(arena=factories.arena(), now=NOW)

    def test_requests_in_a_row_are_refused_for_a_moment(self, voted, settings):
        Export.objects.create(arena=voted, status=Status.FAILED, created_at=NOW)
        with pytest.raises(ExportTooSoon, match="try again in 41 seconds"):
            export_request(arena=voted, now=NOW + timedelta(seconds=settings.EXPORT_INTERVAL_S - 41))
        later = NOW + timedelta(seconds=settings.EXPORT_INTERVAL_S)
        assert export_request(arena=voted, now=later).status == Status.QUEUED


@pytest.mark.django_db(transaction=True)
class TestBuild:
    def build(self, arena, **options):
        return export_build(export=export_queue(arena=arena, now=NOW), clock=lambda: NOW, **options)

    def test_release_holds_the_files_its_manifest_lists(self, voted):
        export = self.build(voted)
        folder = export_folder(export=export)
        assert export.status == Status.DONE
        assert json.loads((folder / "manifest.json").read_text()) == export.manifest
        assert {path.name for path in folder.iterdir()} == {*export.manifest["files"], "manifest.json"}
        for name, facts in export.manifest["files"].items():
            content = (folder / name).read_bytes()
            assert facts["sha256"] == hashlib.sha256(content).hexdigest()
            assert facts["size_bytes"] == len(content)

    def test_both_files_hold_every_vote(self, voted):
        export = self.build(voted)
        folder = export_folder(export=export)
        lines = gzip.decompress((folder / "votes.jsonl.gz").read_bytes()).decode().splitlines()
        with gzip.open(folder / "votes.csv.gz", "rt", newline="") as stream:
            flat = list(csv.DictReader(stream))
        ids = [str(json.loads(line)["ballot_id"]) for line in lines]
        assert ids == [row["ballot_id"] for row in flat]
        assert len(ids) == export.manifest["row_count"] == export.manifest["counted_count"] == 6

    def test_manifest_says_what_a_reader_must_know(self, voted):
        manifest = self.build(voted).manifest
        assert manifest["schema_version"] == "1.1"
        assert manifest["licence"] == "CC-BY-4.0"
        assert manifest["created_at"] == "2026-11-21T12:00:00.000Z"
        assert "HMAC-SHA256" in manifest["pseudonyms"]
        assert "draw_probability" in manifest["columns"]["votes.jsonl.gz"]
        assert manifest["files"]["prompts.jsonl.gz"]["rows"] == 2

    def test_snapshot_is_fitted_on_exactly_the_rows_and_kept(self, voted):
        snapshot_build(board=voted.boards.get())
        export = self.build(voted)
        assert export.snapshot.is_released
        assert export.snapshot.ballot_count == export.manifest["counted_count"]
        assert export.snapshot.cutoff_id == Vote.objects.latest("id").pk
        assert export.manifest["snapshot_id"] == export.snapshot.pk

    def test_vote_cast_while_the_release_is_written_is_in_neither(self, voted, monkeypatch):
        """The rows are read after the fit; a vote in between must not be seen."""
        fit = services.snapshot_build

        def fit_then_vote(**options):
            snapshot = fit(**options)
            import threading

            thread = threading.Thread(target=lambda: (vote_again(voted), connection.close()))
            thread.start()
            thread.join()
            return snapshot

        monkeypatch.setattr(services, "snapshot_build", fit_then_vote)
        export = self.build(voted)
        assert Vote.objects.count() == 7
        assert (export.status, export.manifest["row_count"], export.snapshot.ballot_count) == ("done", 6, 6)

    def test_same_salt_and_rows_give_the_same_bytes(self, voted):
        first = self.build(voted, salt=b"s")
        Export.objects.filter(pk=first.pk).update(manifest={**first.manifest, "extent": {}})
        again = export_build(
            export=export_queue(arena=voted, now=NOW + timedelta(hours=1)), salt=b"s", clock=lambda: NOW
        )
        assert again.pk != first.pk
        for name in ("votes.jsonl.gz", "votes.csv.gz", "prompts.jsonl.gz"):
            assert again.manifest["files"][name]["sha256"] == first.manifest["files"][name]["sha256"]

    def test_unchanged_votes_are_not_released_twice(self, voted):
        export = self.build(voted)
        assert export_request(arena=voted, now=NOW + timedelta(days=1)) == export

    def test_new_vote_exclusion_or_deleted_voter_makes_a_new_release(self, voted):
        later = NOW
        seen = {self.build(voted).pk}
        changes = [
            lambda: vote_again(voted),
            lambda: VoteExclusion.objects.create(vote=Vote.objects.earliest("id"), reason="admin"),
            lambda: Vote.objects.latest("id").voter.delete(),
        ]
        for change in changes:
            change()
            later += timedelta(hours=1)
            export = export_build(export=export_queue(arena=voted, now=later))
            assert export.status == Status.DONE
            assert export.pk not in seen
            seen.add(export.pk)

    def test_building_twice_changes_nothing(self, voted):
        export = self.build(voted)
        before = {path.name: path.stat().st_mtime_ns for path in export_folder(export=export).iterdir()}
        again = export_build(export=export)
        assert (again.status, again.finished_at) == (Status.DONE, export.finished_at)
        assert {
            path.name: path.stat().st_mtime_ns for path in export_folder(export=export).iterdir()
        } == before
        assert Snapshot.objects.count() == 1

    def test_running_release_of_another_worker_is_left_alone(self, voted):
        export = Export.objects.create(arena=voted, status=Status.RUNNING, started_at=NOW)
        assert export_build(export=export, clock=lambda: NOW).status == Status.RUNNING
        assert not export_folder(export=export).exists()

    def test_release_of_a_lost_worker_is_taken_over(self, voted):
        export = Export.objects.create(
            arena=voted, status=Status.RUNNING, started_at=NOW, attempts=1, created_at=NOW
        )
        late = NOW + STALE_AFTER + timedelta(seconds=1)
        assert exports_waiting(now=NOW + timedelta(minutes=1)) == []
        assert exports_waiting(now=late) == [export.pk]
        assert export_build(export=export, clock=lambda: late).status == Status.DONE

    def test_release_that_loses_every_worker_is_given_up(self, voted):
        export = Export.objects.create(arena=voted, status=Status.RUNNING, started_at=NOW, attempts=3)
        late = NOW + STALE_AFTER + timedelta(seconds=1)
        export = export_build(export=export, clock=lambda: late)
        assert export.status == Status.FAILED
        assert "several times" in export.error

    def test_worker_that_lost_its_lease_publishes_nothing(self, voted, monkeypatch):
        export = export_queue(arena=voted, now=NOW)
        write = services.release_write

        def taken_over(**options):
            manifest = write(**options)
            Export.objects.filter(pk=export.pk).update(lease=None)
            return manifest

        monkeypatch.setattr(services, "release_write", taken_over)
        export_build(export=export)
        assert not export_folder(export=export).exists()
        assert not Snapshot.objects.exists()

    @pytest.mark.parametrize(
        ("error", "sentence"),
        [
            (
                OSError(28, "No space left on device"),
                "The files could not be written: No space left on device.",
            ),
            (NotConverged("the solver stopped"), "The ratings could not be fitted: the solver stopped."),
            (OperationalError("server closed\ndetail"), "The database gave up: server closed."),
        ],
    )
    def test_failure_is_a_plain_sentence_and_leaves_no_files(
        self, voted, monkeypatch, export_dir, error, sentence
    ):
        def fail(*, folder, **_):
            (folder / "votes.jsonl.gz").write_bytes(b"half")
            raise error

        monkeypatch.setattr(services, "release_write", fail)
        export = self.build(voted)
        assert (export.status, export.error) == (Status.FAILED, sentence)
        assert list(export_dir.iterdir()) == []
        assert not Snapshot.objects.exists()

    def test_unforeseen_error_is_said_and_raised(self, voted, monkeypatch, export_dir):
        def fail(**_):
            raise ZeroDivisionError

        monkeypatch.setattr(services, "release_write", fail)
        with pytest.raises(ZeroDivisionError):
            self.build(voted)
        assert Export.objects.get().error == "The release could not be finished."
        assert list(export_dir.iterdir()) == []

    def test_serialization_failure_is_tried_again(self, voted, monkeypatch):
        write, calls = services.release_write, []

        def fail_once(**options):
            calls.append(options)
            if len(calls) == 1:
                raise OperationalError from SerializationFailure()
            return write(**options)

        monkeypatch.setattr(services, "release_write", fail_once)
        assert self.build(voted).status == Status.DONE
        assert len(calls) == 2

    def test_files_left_by_a_lost_commit_are_replaced(self, voted):
        export = export_queue(arena=voted, now=NOW)
        export_folder(export=export).mkdir(parents=True)
        (export_folder(export=export) / "old").write_text("half")
        export_build(export=export)
        assert not (export_folder(export=export) / "old").exists()

    def test_votes_that_do_not_count_make_a_release_without_a_board(self):
        arena = factories.arena(systems=2, prompts=1, answered=True)
        factories.board(arena)
        prompt = arena.prompt_sets.get().prompts.get()
        cast(arena, list(arena.systems.all()), [None, None], prompt=prompt, is_skip=True)
        export = self.build(arena)
        assert (export.status, export.snapshot) == (Status.DONE, None)
        assert (export.manifest["row_count"], export.manifest["counted_count"]) == (1, 0)
