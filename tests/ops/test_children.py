"""Children: health, logs, order of stopping, bounded waits."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arena.ops.children import Child, Program, stop_all, watch
from arena.ops.errors import StartError

from .waiting import is_alive, wait_until

Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    children: list[Child] = []

    def start(script: str, **settings: object) -> Child:
        name = f"child{len(children)}"
        program = Program(name=name, argv=["sh", "-c", script], **settings)
        children.append(Child(program, log_dir=tmp_path, env=dict(os.environ)))
        return children[-1]

    yield start
    stop_all(children)


def test_health_is_awaited(start: Start, tmp_path: Path) -> None:
    proof = tmp_path / "up"
    child = start(f"sleep 0.2; touch {proof}; sleep 300", is_healthy=proof.exists)
    child.wait_until_healthy()
    assert proof.exists()


def test_program_that_ends_while_awaited_is_reported_with_its_last_words(start: Start) -> None:
    child = start("echo no such table; exit 3", is_healthy=lambda: False)
    with pytest.raises(StartError, match=r"child0 stopped \(exit status 3\)") as caught:
        child.wait_until_healthy()
    assert str(caught.value).endswith("child0.log:\n  | no such table")


def test_program_that_never_answers_is_reported(start: Start) -> None:
    child = start("sleep 300", is_healthy=lambda: False, healthy_within_s=0.2)
    with pytest.raises(StartError, match="did not answer within"):
        child.wait_until_healthy()


def test_words_of_an_earlier_start_are_not_repeated(start: Start, tmp_path: Path) -> None:
    (tmp_path / "child0.log").write_text("old trouble\n")
    child = start("echo new trouble")
    child.process.wait(10)
    assert "old trouble" not in child.words
    assert (tmp_path / "child0.log").read_text() == "old trouble\nnew trouble\n"


def test_watching_ends_with_the_first_death(start: Start) -> None:
    children = [start("sleep 300"), start("kill -KILL $$")]
    with pytest.raises(StartError, match=r"child1 stopped \(signal SIGKILL\)"):
        watch(children)


def test_children_are_asked_to_stop_last_first(start: Start, tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = "trap 'echo {} >> {}; exit' TERM; echo ready; while :; do sleep 0.01; done"
    children = [start(script.format(name, order)) for name in ("first", "second")]
    for child in children:
        wait_until(lambda child=child: "ready" in child.log_path.read_text(), what="its start")
    children[1].stop()
    children[0].stop()
    assert order.read_text().split() == ["second", "first"]


def test_stubborn_children_are_killed_together_when_their_time_is_up(start: Start) -> None:
    children = [start("trap '' TERM; echo ready; sleep 300 & wait", stop_within_s=0.5) for _ in range(3)]
    for child in children:
        wait_until(lambda child=child: "ready" in child.log_path.read_text(), what="its start")
    began = time.monotonic()
    stop_all(children)
    assert time.monotonic() - began < 5
    assert not any(is_alive(child.process.pid) for child in children)


def test_child_leads_a_session_of_its_own(start: Start) -> None:
    child = start("sleep 300")
    assert os.getsid(child.process.pid) == child.process.pid != os.getsid(0)


def test_the_signal_of_the_program_is_used(start: Start) -> None:
    child = start(
        "trap 'exit 5' INT; echo ready; while :; do sleep 0.01; done",
        stop_signal=signal.SIGINT,
        stop_within_s=10,
    )
    wait_until(lambda: "ready" in child.log_path.read_text(), what="its start")
    child.stop()
    assert child.process.returncode == 5


def test_long_log_is_set_aside(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[Child.__module__], "LOG_BYTES", 10)
    (tmp_path / "child0.log").write_text("a" * 11)
    start("echo new").process.wait(10)
    assert (tmp_path / "child0.log").read_text() == "new\n"
    assert (tmp_path / "child0.log.1").read_text() == "a" * 11


def test_a_program_that_may_be_restarted_is_and_the_others_go_on(start: Start, tmp_path: Path) -> None:
    worker = start("sleep 300", is_restarted=True)
    other = start("sleep 300")
    said: list[str] = []

    def say(words: str) -> None:
        said.append(words)
        raise KeyboardInterrupt

    killed = worker.process.pid
    worker.process.kill()
    with pytest.raises(KeyboardInterrupt):
        watch([worker, other], say=say)
    assert said == [f"child0 died and was started again; its log is {tmp_path / 'child0.log'}"]
    assert worker.process.pid != killed
    assert not worker.has_ended
    assert not other.has_ended


def test_a_program_that_keeps_dying_ends_everything(start: Start) -> None:
    worker = start("echo broken; exit 4", is_restarted=True)
    with pytest.raises(StartError, match=r"child0 stopped \(exit status 4\)"):
        watch([worker], say=lambda _words: None)
