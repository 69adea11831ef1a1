"""Runs a system that is a program on the worker: any kind of system plugs in through one JSON contract.

The program is started once per answer, in a fresh folder. It reads one JSON object from stdin:

    {"version": 1, "messages": [{"role": "user", "content": "…", "images": ["data:image/png;base64,…"]}],
     "seed": 7, "settings": {"max_tokens": 256, …}, "variant": "…", "output_folder": "/…", "deadline_s": 120}

`settings` are those of the system, each one of them. It ends with status 0 and one JSON object, in the file
result.json of the output folder or as the last line of stdout:

    {"text": "…", "finish_reason": "stop" or "length", "prompt_tokens": 9, "completion_tokens": 5,
     "media": [{"path": "song.wav", "media_type": "audio/wav"}], "provenance": {"version": "…"}}

or {"error": {"kind": "prompt_too_long", "rejected" or "unavailable", "message": "…"}}. Only `text` is needed.
A status other than 0 is a failure, 75 (EX_TEMPFAIL) a passing one; stderr says why. The answer comes at once
at its end: `on_text` is called at most once.

Which programs there are is said by the worker's environment, see `command_access`.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from workers.backends.command_access import resolve_command, resolve_environment
from workers.backends.deadline import Deadline
from workers.backends.errors import (
    AnswerTooLarge,
    BackendError,
    BackendGarbage,
    BackendMisconfigured,
    BackendUnavailable,
    InvalidSettings,
    MediaNotKept,
    ProgramFailed,
)
from workers.backends.options import OptionField, read_options
from workers.backends.program_result import MediaFile, read_result
from workers.backends.program_run import Ended, ProgramLimits, run_program, work_folders
from workers.backends.text_stream import TextStream
from workers.backends.types import CHAT, Generation, GenerationRequest, Message, OnText

TITLE = "Program on a worker"

OPTIONS = (
    OptionField(
        name="command",
        help="Name of a program in the worker's COMMAND_BACKENDS; never a path.",
        required=True,
    ),
    OptionField(name="variant", help="Handed to the program as it is: a voice or a checkpoint, say."),
    OptionField(
        name="environment",
        help="Names of variables that the program gets, comma-separated; all must be in the worker's "
        "COMMAND_ENVIRONMENT. Nothing else of the worker's environment is given.",
        default="",
    ),
    OptionField(
        name="memory_mb",
        help="MiB of address space of each of its processes; 0: no limit, which CUDA needs.",
        type="whole",
        default=4096,
    ),
    OptionField(
        name="output_mb",
        help="MiB that it may write in all, temporary files included; 0: no limit.",
        type="whole",
        default=256,
    ),
)

_CONTRACT = 1
_PASSING_FAILURE = 75
_CANNOT_START = (126, 127)
_WORDS_MOST = 300
# Shorter values are no secrets, and would blacken half of an error.
_SECRET_LENGTH = 6


def create(options: Mapping[str, Any]) -> CommandBackend:
    return CommandBackend(**read_options(OPTIONS, options))


class CommandBackend:
    """Holds nothing between two answers."""

    def __init__(
        self, *, command: str, variant: str | None, environment: str, memory_mb: int, output_mb: int
    ) -> None:
        self._command = command
        self._variant = variant
        self._argv = resolve_command(command)
        self._environment = resolve_environment(environment)
        self._limits = ProgramLimits(memory_mb=memory_mb, output_mb=output_mb)

    def generate(
        self, request: GenerationRequest, *, on_text: OnText | None = None, deadline_s: float
    ) -> Generation:
        """Also raises ProgramFailed, AnswerTooLarge, and MediaNotKept, see `_require_no_media`."""
        if request.settings.template != CHAT:
            raise InvalidSettings("A program gets the messages as they are: the template must be chat.")
        deadline = Deadline(deadline_s)
        with work_folders() as folders:
            ended = run_program(
                self._argv,
                stdin=json.dumps(self._contract(request, str(folders.output), deadline_s)).encode(),
                folders=folders,
                environment=self._environment,
                limits=self._limits,
                deadline=deadline,
            )
            if ended.status != 0:
                raise self._failure(ended)
            result = read_result(ended.stdout, folders.output)
            _require_no_media(result.media)
        total_s = deadline.spent_s()
        stream = TextStream(on_text, request.settings.stop, characters_most=request.settings.characters_most)
        stream.push(result.text)
        text = stream.finish()
        if not text:
            raise BackendGarbage("The program answered without any text.")
        return Generation(
            text=text,
            finish_reason="stop" if stream.is_stopped else result.finish_reason,
            prompt_tokens=result.prompt_tokens,
            completion_tokens=result.completion_tokens,
            load_s=0.0,
            first_token_s=total_s,
            total_s=total_s,
            provenance={
                "backend": "command",
                "contract": _CONTRACT,
                "command": self._command,
                "variant": self._variant,
                "seed": request.seed,
                "settings": request.settings.to_dict(),
                "program": result.provenance,
            },
        )

    def close(self) -> None:
        """Nothing is held."""

    def _contract(self, request: GenerationRequest, output_folder: str, deadline_s: float) -> dict[str, Any]:
        return {
            "version": _CONTRACT,
            "messages": [_message(message) for message in request.conversation],
            "seed": request.seed,
            "settings": request.settings.to_dict(),
            "variant": self._variant,
            "output_folder": output_folder,
            "deadline_s": deadline_s,
        }

    def _failure(self, ended: Ended) -> BackendError:
        words = self._words(ended.errors)
        if ended.status == _PASSING_FAILURE:
            return BackendUnavailable(f"The program cannot answer now.{words}")
        if ended.status in _CANNOT_START:
            return BackendMisconfigured(f"The program cannot be started.{words}")
        if ended.status == 128 + signal.SIGXFSZ:
            return AnswerTooLarge(f"The program wrote a file of {self._limits.output_mb} MiB or more.")
        if ended.status == 128 + signal.SIGKILL:
            return BackendUnavailable(f"The program was killed, perhaps for want of memory.{words}")
        return ProgramFailed(f"The program failed with status {ended.status}.{words}")

    def _words(self, errors: str) -> str:
        """The end of its stderr, without the values of the variables that it was given."""
        for value in self._environment.values():
            if len(value) >= _SECRET_LENGTH:
                errors = errors.replace(value, "***")
        shown = " ".join(errors.split())
        if not shown:
            return ""
        return f' It says: "{shown if len(shown) <= _WORDS_MOST else "…" + shown[-_WORDS_MOST:]}"'


def _message(message: Message) -> dict[str, Any]:
    images = [image.data_url for image in message.images]
    return {"role": message.role, "content": message.content, "images": images}


def _require_no_media(media: Sequence[MediaFile]) -> None:
    """The one place where media answers end for now: raises MediaNotKept.

    The files are checked, and exist until `work_folders` is left. Once there is an asset store, hand them to
    it here and put the assets into the Generation.
    """
    if media:
        raise MediaNotKept("Media answers need the asset store.")
