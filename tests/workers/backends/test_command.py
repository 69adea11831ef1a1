"""Real programs that keep the contract of the command backend, and all the ways to break it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workers.backends.errors import (
    AnswerTooLarge,
    BackendError,
    BackendGarbage,
    BackendMisconfigured,
    BackendRejected,
    BackendUnavailable,
    DeadlineExceeded,
    InvalidSettings,
    MediaNotKept,
    ProgramFailed,
    PromptTooLong,
)
from workers.backends.images import Image
from workers.backends.registry import create
from workers.backends.types import Generation, GenerationRequest, GenerationSettings, Message

ENOUGH_S = 30.0
REQUEST = GenerationRequest(messages=(Message("user", "Sing."),), seed=3)
SECRET = "tok-very-secret-0123456789"
START = "import json, os, sys, time, subprocess\nasked = json.load(sys.stdin)\nout = asked['output_folder']\n"
SAY = "\njson.dump({'text': str(text)}, sys.stdout)\n"

Program = Callable[..., None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Write the code of a program and name it "prog" in the worker's list."""

    def write(code: str, *, arguments: str = "") -> None:
        path = tmp_path / "program"
        path.write_text(f"#!{sys.executable}\n{START}{code}")
        path.chmod(0o700)
        monkeypatch.setenv("COMMAND_BACKENDS", f"prog={path} {arguments}, other=/bin/true")

    return write


def ask(*, request: GenerationRequest = REQUEST, deadline_s: float = ENOUGH_S, **options: Any) -> Generation:
    return create("command", {"command": "prog", **options}).generate(request, deadline_s=deadline_s)


def error_of(**options: Any) -> BackendError:
    with pytest.raises(BackendError) as caught:
        ask(**options)
    return caught.value


def assert_dead(pids: Path) -> None:
    """Every process whose id stands in the file ends soon."""
    give_up = time.monotonic() + 5
    for pid in map(int, pids.read_text().split()):
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < give_up, f"{pid} lives on"
            time.sleep(0.01)


def test_program_gets_the_whole_request(program: Program) -> None:
    program("text = json.dumps(asked, sort_keys=True)" + SAY)
    settings = GenerationSettings(max_tokens=999, system_prompt="Be brief.")
    image = Image("image/gif", b"GIF89a")
    request = GenerationRequest(messages=(Message("user", "Sing.", (image,)),), seed=3, settings=settings)
    text = ask(request=request, variant="alto", deadline_s=20).text
    assert '"content": "Be brief."' in text
    assert '"images": ["data:image/gif;base64,R0lGODlh"]' in text
    assert '"max_tokens": 999' in text
    assert '"seed": 3' in text
    assert '"variant": "alto"' in text
    assert '"deadline_s": 20' in text
    assert '"version": 1' in text


def test_result_file_goes_before_stdout_and_all_of_it_is_read(program: Program) -> None:
    program(
        "result = {'text': ' from the file ', 'finish_reason': 'length', 'prompt_tokens': 2,"
        " 'completion_tokens': 3, 'provenance': {'engine': '1.2'}}\n"
        "json.dump(result, open(out + '/result.json', 'w'))\ntext = 'from stdout'" + SAY
    )
    generation = ask()
    assert (generation.text, generation.finish_reason) == ("from the file", "length")
    assert (generation.prompt_tokens, generation.completion_tokens) == (2, 3)
    assert generation.provenance["program"] == {"engine": "1.2"}
    assert generation.provenance["command"] == "prog"


def test_arguments_pass_no_shell(program: Program) -> None:
    program("text = sys.argv[1:]" + SAY, arguments="'a b' $HOME ;ls")
    assert ask().text == "['a b', '$HOME', ';ls']"


def test_environment_holds_only_what_the_worker_allows(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("text = sorted(name for name in os.environ if name != 'LC_CTYPE')" + SAY)
    monkeypatch.setenv("MUSIC_API_KEY", SECRET)
    monkeypatch.setenv("OTHER_API_KEY", SECRET)
    monkeypatch.setenv("COMMAND_ENVIRONMENT", "MUSIC_API_KEY, HF_HOME")
    assert ask().text == "['HOME', 'LANG', 'PATH', 'TMPDIR']"
    assert ask(environment="MUSIC_API_KEY").text == "['HOME', 'LANG', 'MUSIC_API_KEY', 'PATH', 'TMPDIR']"
    assert "does not hold 'OTHER_API_KEY'" in str(error_of(environment="OTHER_API_KEY"))
    assert "HF_HOME is not set" in str(error_of(environment="HF_HOME"))


def test_values_of_variables_are_not_in_errors(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program("sys.exit('refused: ' + os.environ['MUSIC_API_KEY'])")
    monkeypatch.setenv("MUSIC_API_KEY", SECRET)
    monkeypatch.setenv("COMMAND_ENVIRONMENT", "MUSIC_API_KEY")
    error = error_of(environment="MUSIC_API_KEY")
    assert type(error) is ProgramFailed
    assert 'It says: "refused: ***"' in str(error)


def test_folder_is_fresh_private_and_removed(program: Program) -> None:
    program(
        "open('left', 'w').close(); os.mkdir(out + '/sub')\n"
        "text = [os.getcwd(), len(os.listdir('.')), oct(os.stat('..').st_mode & 0o777)]" + SAY
    )
    for _ in range(2):
        folder, count, mode = ask().text.strip("[]").split(", ")
        assert (count, mode) == ("1", "'0o700'")
        assert not Path(folder.strip("'")).parent.exists()


def test_program_ends_at_the_deadline_with_its_children(program: Program, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program(
        "child = subprocess.Popen(['/bin/sleep', '60'])\n"
        "stray = subprocess.Popen(['/bin/sleep', '60'], start_new_session=True)\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} {{stray.pid}}')\n"
        "time.sleep(60)"
    )
    started = time.monotonic()
    assert type(error_of(deadline_s=1.0)) is DeadlineExceeded
    assert time.monotonic() - started < 10
    assert_dead(pids)


def test_children_left_behind_by_an_answer_die(program: Program, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program(
        # Each forks again in a session of its own, and its parent leaves.
        "for _ in range(20):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        f"            open({str(pids)!r}, 'a').write(f'{{os.getpid()}} ')\n"
        "            os.execv('/bin/sleep', ['sleep', '60'])\n"
        "        os._exit(0)\n"
        "text = 'done'" + SAY
    )
    assert ask().text == "done"
    assert_dead(pids)


def test_process_that_forks_and_leaves_without_end_is_caught(program: Program, tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    program(
        "if os.fork() == 0:\n"
        "    end = time.time() + 20\n"
        "    while time.time() < end:\n"
        "        if os.fork():\n"
        "            os._exit(0)\n"
        "        os.setsid()\n"
        f"        open({str(steps)!r}, 'a').write('.')\n"
        "    os._exit(0)\n"
        f"while not os.path.exists({str(steps)!r}): time.sleep(0.001)\n"
        "text = 'done'" + SAY
    )
    assert ask().text == "done"
    size = steps.stat().st_size
    time.sleep(0.1)
    assert steps.stat().st_size == size


def test_killed_worker_leaves_no_program(program: Program, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program(f"open({str(pids)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")
    code = (
        "from workers.backends.registry import create\n"
        "from workers.backends.types import *\n"
        "request = GenerationRequest(messages=(Message('user', 'a'),), seed=1)\n"
        "create('command', {'command': 'prog'}).generate(request, deadline_s=60)"
    )
    # What a killed worker cannot do is to remove the folder.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as worker:
        while not (pids.exists() and pids.read_text()):
            assert worker.poll() is None
            time.sleep(0.01)
        worker.kill()
    assert_dead(pids)


def test_memory_is_limited(program: Program) -> None:
    program("text = len(bytearray(300_000_000))" + SAY)
    error = error_of(memory_mb=150)
    assert type(error) is ProgramFailed
    assert "MemoryError" in str(error)
    assert ask(memory_mb=0).text == "300000000"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sys.stdout.write('x' * 10_000_000)", "printed more than 8 MiB"),
        ("sys.stderr.write('x' * 30_000_000)", "20 MiB or more"),
        ("open('big', 'wb').write(bytes(30_000_000))", "20 MiB or more"),
        ("os.execv('/usr/bin/head', ['head', '-c30000000', '/dev/zero'])", "printed more than 8 MiB"),
        ("[open(out + f'/{n}', 'wb').write(bytes(2_000_000)) for n in range(12)]", "20 MiB or more"),
        ("open(out + '/result.json', 'wb').write(b'{' + b' ' * 10_000_000 + b'}')", "larger than 8 MiB"),
        ("json.dump({'text': 'x' * 40_000}, sys.stdout)", "over 32768 characters"),
    ],
)
def test_output_is_limited(program: Program, code: str, words: str) -> None:
    program(code)
    error = error_of(output_mb=20)
    assert type(error) is AnswerTooLarge
    assert words in str(error)


def test_processor_time_is_limited(program: Program) -> None:
    program("import resource\ntext = resource.getrlimit(resource.RLIMIT_CPU)[1]" + SAY)
    assert int(ask(deadline_s=5).text) == 5 * (os.cpu_count() or 1)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "\\n\\n",
        "not JSON",
        "[1, 2]",
        '{"text": 5}',
        '{"text": "a"',
        '{"text": "a"}\\nlast words',
        '{"text": "  "}',
        '{"text": "a", "finish_reason": "bored"}',
        '{"text": "a", "prompt_tokens": -1}',
        '{"text": "a", "prompt_tokens": true}',
        '{"text": "a", "prompt_tokens": NaN}',
        '{"text": "a", "media": "song.wav"}',
        '{"text": "a", "media": [5]}',
        '{"text": "a", "media": [{"path": "song.wav"}]}',
        '{"text": "a", "provenance": 5}',
        '{"text": "a", "provenance": {"a": "\\\\u0000"}}',
        '{"text": "a", "provenance": {"a": "\\\\ud800"}}',
        '{"error": 5}',
        '{"error": {"kind": "mood"}}',
    ],
)
def test_garbage_is_named(program: Program, output: str) -> None:
    program(f"sys.stdout.write('''{output}''')")
    assert type(error_of()) is BackendGarbage


def test_deep_and_binary_garbage_is_named(program: Program) -> None:
    program("sys.stdout.write('[' * 1_000_000)")
    assert type(error_of()) is BackendGarbage
    program("os.write(1, bytes(range(128, 256)))")
    assert type(error_of()) is BackendGarbage


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        ({"kind": "prompt_too_long", "prompt_tokens": 9, "limit_tokens": 5}, PromptTooLong, "9 tokens"),
        ({"kind": "rejected", "message": "no\0 songs"}, BackendRejected, "no\ufffd songs"),
        ({"kind": "unavailable", "message": "busy"}, BackendUnavailable, "busy"),
    ],
)
def test_program_reports_errors_by_kind(
    program: Program, error: dict[str, Any], expected: type[BackendError], words: str
) -> None:
    program(f"json.dump({{'error': {error!r}}}, sys.stdout)")
    found = error_of()
    assert type(found) is expected
    assert words in str(found)


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        ("sys.exit('no voice')", ProgramFailed, 'status 1. It says: "no voice"'),
        ("sys.stderr.write('busy'); sys.exit(75)", BackendUnavailable, "busy"),
        ("sys.exit(127)", BackendMisconfigured, "cannot be started"),
        ("os.kill(os.getpid(), 9)", BackendUnavailable, "was killed"),
        ("os.kill(os.getpid(), 11)", ProgramFailed, "status 139"),
        ("sys.stderr.write('x' * 100_000 + ' end'); sys.exit(2)", ProgramFailed, ' end"'),
    ],
)
def test_failure_is_named_with_the_end_of_stderr(
    program: Program, code: str, expected: type[BackendError], words: str
) -> None:
    program(code)
    error = error_of()
    assert type(error) is expected
    assert words in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("prepare", "path"),
    [
        ("", "../work/song.wav"),
        ("", "/etc/hostname"),
        ("", ""),
        ("", "missing.wav"),
        ("", "a\0b"),
        ("os.symlink('/etc/hostname', out + '/song.wav')", "song.wav"),
        ("os.symlink('/etc', out + '/etc')", "etc/hostname"),
        ("os.rmdir(out); os.symlink('/etc', out)", "hostname"),
        ("open('own', 'w').close(); os.link('own', out + '/song.wav')", "song.wav"),
        ("os.mkdir(out + '/song.wav')", "song.wav"),
        ("os.mkfifo(out + '/song.wav')", "song.wav"),
    ],
)
def test_media_outside_of_the_folder_are_refused(program: Program, prepare: str, path: str) -> None:
    program(
        f"{prepare}\njson.dump({{'media': [{{'path': {path!r}, 'media_type': 'audio/wav'}}]}}, sys.stdout)"
    )
    assert type(error_of()) is BackendGarbage


@pytest.mark.parametrize("make", ["os.symlink('/etc/hostname', {0})", "os.mkfifo({0})", "os.mkdir({0})"])
def test_result_that_is_no_plain_file_is_refused(program: Program, make: str) -> None:
    program(make.format("out + '/result.json'") + "\ntext = 'a'" + SAY)
    assert type(error_of(deadline_s=5)) is BackendGarbage


def test_media_are_refused_until_there_is_a_place_for_them(program: Program) -> None:
    program(
        "os.mkdir(out + '/take'); open(out + '/take/song.wav', 'wb').write(b'RIFF')\n"
        "media = [{'path': 'take/song.wav', 'media_type': 'audio/wav'}]\n"
        "json.dump({'text': 'la', 'media': media}, sys.stdout)"
    )
    with pytest.raises(MediaNotKept, match="need the asset store"):
        ask()


def test_templates_for_base_models_are_refused(program: Program) -> None:
    program("")
    with pytest.raises(InvalidSettings, match="template"):
        ask(
            request=GenerationRequest(
                messages=REQUEST.messages, seed=1, settings=GenerationSettings(template="few-shot-v1")
            )
        )


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ("", "In its COMMAND_BACKENDS are: none"),
        ("other=/bin/true", "In its COMMAND_BACKENDS are: other"),
        ("prog=bin/true", "absolute"),
        ("prog", "absolute"),
        ("prog='/bin/true", "absolute"),
        ("PROG=/bin/true", "absolute"),
        ("prog=/nowhere/program", "no executable file"),
        ("prog=/etc/passwd", "no executable file"),
        ("prog=/tmp", "no executable file"),
    ],
)
def test_commands_are_the_workers_to_name(monkeypatch: pytest.MonkeyPatch, listed: str, words: str) -> None:
    monkeypatch.setenv("COMMAND_BACKENDS", listed)
    with pytest.raises(BackendMisconfigured, match=words) as caught:
        create("command", {"command": "prog"})
    assert "/nowhere" not in str(caught.value)


@pytest.mark.parametrize("command", ["/bin/sh", "../bin/sh", "sh -c ls", "other; ls"])
def test_options_cannot_name_a_program_themselves(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COMMAND_BACKENDS", "other=/bin/true")
    with pytest.raises(BackendMisconfigured, match="knows no command"):
        create("command", {"command": command})


def test_minder_ends_everything_when_it_is_told_to(tmp_path: Path) -> None:
    minder = Path(__file__).parents[3] / "workers" / "backends" / "program_minder.py"
    pids = tmp_path / "pids"
    code = f"echo $$ > {pids}.new; mv {pids}.new {pids}; sleep 60"
    with subprocess.Popen([sys.executable, "-I", "-S", str(minder), "{}", "/bin/sh", "-c", code]) as started:
        while not pids.exists():
            time.sleep(0.01)
        started.send_signal(signal.SIGTERM)
        assert started.wait(5) == 128 + signal.SIGTERM
    assert_dead(pids)
