"""Runs a text model in this very process with transformers and torch: the GPU worker's backend.

The model is loaded at the first request and kept. One request at a time: torch's random state belongs to the
process, and is put back after each. Code from a model's repository is never run.
"""

from __future__ import annotations

import gc
import hashlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from workers.backends.engines import import_engine, require_packages
from workers.backends.errors import (
    BackendError,
    BackendGarbage,
    BackendMisconfigured,
    BackendRejected,
    BackendUnavailable,
    DeadlineExceeded,
    PromptTooLong,
)
from workers.backends.gguf_conversion import converted_folder, source_of
from workers.backends.model_files import find_model_files
from workers.backends.options import OptionField, read_options
from workers.backends.prompt_template import few_shot_template
from workers.backends.step_watcher import StepWatcher
from workers.backends.text_stream import TextStream
from workers.backends.types import CHAT, Generation, GenerationRequest, GenerationSettings, OnText

TITLE = "transformers on this worker's device"

_AUTO = "auto"
_PACKAGES = ("torch", "transformers")
_GGUF_PACKAGES = ("gguf", "accelerate")
_CACHE_VARIABLE = "ARENA_MODEL_CACHE"

OPTIONS = (
    OptionField(
        name="model",
        help="A folder on the worker, or a repository of the model hub (owner/name).",
        required=True,
    ),
    OptionField(name="revision", help="Commit of the hub's repository. Give it: branches move."),
    OptionField(name="gguf_file", help="Name of a GGUF file in there; it is converted once into the cache."),
    OptionField(
        name="dtype",
        help="Precision of the weights. auto: bfloat16 on a GPU, float32 on a CPU.",
        choices=(_AUTO, "bfloat16", "float16", "float32"),
        default=_AUTO,
    ),
    OptionField(name="device", help="auto, cpu, cuda, cuda:1 …", default=_AUTO),
    OptionField(
        name="max_context",
        help="Tokens of prompt and answer together; left empty: what the model was trained for.",
        type="whole",
    ),
    OptionField(
        name="cache_dir",
        help=f"Where converted models go; left empty: the worker's {_CACHE_VARIABLE}, or its cache folder.",
    ),
)


def create(options: Mapping[str, Any]) -> TransformersBackend:
    values = read_options(OPTIONS, options)
    require_packages(*_PACKAGES, *(_GGUF_PACKAGES if values["gguf_file"] else ()))
    return TransformersBackend(**values)


@dataclass(frozen=True)
class _Loaded:
    model: Any
    tokenizer: Any
    device: Any
    dtype: str
    context_tokens: int
    end_tokens: tuple[int, ...]
    revision: str | None
    source: dict[str, Any]

    def decode(self, tokens: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


class TransformersBackend:
    def __init__(
        self,
        *,
        model: str,
        revision: str | None,
        gguf_file: str | None,
        dtype: str,
        device: str,
        max_context: int | None,
        cache_dir: str | None,
    ) -> None:
        self._model = model
        self._revision = revision
        self._gguf_file = gguf_file
        self._dtype = dtype
        self._device = device
        self._max_context = max_context
        self._cache = Path(cache_dir).expanduser() if cache_dir else _default_cache()
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def generate(
        self, request: GenerationRequest, *, on_text: OnText | None = None, deadline_s: float
    ) -> Generation:
        """Loading and reading the prompt cannot be interrupted; the deadline is looked at after each.

        A model loaded too late stays loaded, so that the next try has the time.
        """
        started = time.perf_counter()
        request.require_text()
        with self._lock:
            loaded, load_s = self._load()
            _check_deadline(started, deadline_s)
            try:
                return _answer(loaded, request, on_text, started, deadline_s, load_s)
            except (MemoryError, _out_of_memory_error()):
                raise BackendUnavailable("The worker's device has not enough memory for this.") from None

    def close(self) -> None:
        with self._lock:
            if self._loaded is None:
                return
            is_cuda = self._loaded.device.type == "cuda"
            self._loaded = None
            gc.collect()
            if is_cuda:
                import_engine("torch").cuda.empty_cache()

    def _load(self) -> tuple[_Loaded, float]:
        if self._loaded is not None:
            return self._loaded, 0.0
        started = time.perf_counter()
        try:
            self._loaded = self._open()
        except BackendError:
            raise
        except (MemoryError, _out_of_memory_error()):
            raise BackendUnavailable("The worker's device has not enough memory for this model.") from None
        except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
            # What the libraries raise for broken, unknown or unsupported model files.
            words = " ".join(str(error).split())[:300]
            raise BackendMisconfigured(f"The model cannot be loaded: {words}") from error
        return self._loaded, time.perf_counter() - started

    def _open(self) -> _Loaded:
        torch = import_engine("torch")
        transformers = import_engine("transformers")
        transformers.utils.logging.disable_progress_bar()
        device = torch.device(self._device if self._device != _AUTO else _best_device())
        dtype = self._dtype if self._dtype != _AUTO else ("float32" if device.type == "cpu" else "bfloat16")
        files = find_model_files(self._model, revision=self._revision, gguf_file=self._gguf_file)
        folder = files.folder
        if self._gguf_file is not None:
            folder = converted_folder(folder / self._gguf_file, cache=self._cache, dtype=dtype)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=getattr(torch, dtype)
        )
        model = model.to(device).eval()
        trained_for = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        context = self._max_context or trained_for
        if context is None:
            raise BackendMisconfigured("The model does not tell how many tokens it takes: set max_context.")
        return _Loaded(
            model=model,
            tokenizer=tokenizer,
            device=device,
            dtype=dtype,
            context_tokens=context,
            end_tokens=_end_tokens(model, tokenizer),
            revision=files.revision,
            source=source_of(folder),
        )


def _answer(
    loaded: _Loaded,
    request: GenerationRequest,
    on_text: OnText | None,
    started: float,
    deadline_s: float,
    load_s: float,
) -> Generation:
    torch = import_engine("torch")
    transformers = import_engine("transformers")
    prompt, stop = _prompt_tokens(loaded, request)
    room = loaded.context_tokens - len(prompt)
    if room < 1:
        raise PromptTooLong.counted(len(prompt), loaded.context_tokens)
    watcher = StepWatcher(
        decode=loaded.decode,
        stream=TextStream(on_text, stop),
        end_tokens=loaded.end_tokens,
        prompt_length=len(prompt),
        started=started,
        deadline_s=deadline_s,
    )
    decoding = _decoding(request.settings, room, loaded.end_tokens)
    inputs = torch.tensor([prompt], device=loaded.device)
    with torch.random.fork_rng(devices=[loaded.device] if loaded.device.type == "cuda" else []):
        torch.manual_seed(request.seed)
        loaded.model.generate(
            inputs,
            attention_mask=torch.ones_like(inputs),
            generation_config=transformers.GenerationConfig(**decoding),
            stopping_criteria=transformers.StoppingCriteriaList([watcher]),
        )
    text = watcher.finish()
    if watcher.is_late:
        raise DeadlineExceeded.after(deadline_s)
    if not text:
        raise BackendGarbage("The model answered without any text.")
    return Generation(
        text=text,
        finish_reason="stop" if watcher.has_ended else "length",
        prompt_tokens=len(prompt),
        completion_tokens=watcher.steps,
        load_s=load_s,
        first_token_s=watcher.first_token_s,
        total_s=time.perf_counter() - started,
        provenance=_provenance(loaded, request, prompt, decoding),
    )


def _prompt_tokens(loaded: _Loaded, request: GenerationRequest) -> tuple[list[int], tuple[str, ...]]:
    """Token ids and stop strings."""
    settings = request.settings
    if settings.template != CHAT:
        template = few_shot_template(settings.template)
        ids = loaded.tokenizer(template.render(request.conversation))["input_ids"]
        return list(ids), (*settings.stop, *template.stop)
    if loaded.tokenizer.chat_template is None:
        raise BackendMisconfigured("This model has no chat format: choose a few-shot template.")
    messages = [{"role": message.role, "content": message.content} for message in request.conversation]
    try:
        encoded = loaded.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
    except import_engine("jinja2").TemplateError as error:
        raise BackendRejected(f"The model's chat format refuses this conversation: {error}") from None
    return list(encoded["input_ids"]), settings.stop


def _decoding(settings: GenerationSettings, room: int, end_tokens: Sequence[int]) -> dict[str, Any]:
    """The generation config in full: what is left out would come from the model's own defaults."""
    decoding: dict[str, Any] = {
        "max_new_tokens": min(settings.max_tokens, room),
        "do_sample": settings.temperature > 0,
        "repetition_penalty": settings.repetition_penalty,
        "eos_token_id": list(end_tokens),
        "pad_token_id": end_tokens[0] if end_tokens else 0,
        "num_beams": 1,
    }
    if settings.temperature > 0:
        decoding |= {"temperature": settings.temperature, "top_p": settings.top_p, "top_k": settings.top_k}
    return decoding


def _provenance(
    loaded: _Loaded, request: GenerationRequest, prompt: Sequence[int], decoding: dict[str, Any]
) -> dict[str, Any]:
    provenance = {
        "backend": "transformers",
        "revision": loaded.revision,
        "dtype": loaded.dtype,
        "device": str(loaded.device),
        "batch_size": 1,
        "generation_config": decoding,
        "prompt_tokens_sha256": hashlib.sha256(repr(list(prompt)).encode()).hexdigest(),
        "seed": request.seed,
        "settings": request.settings.to_dict(),
        "libraries": {package: version(package) for package in _PACKAGES},
        **loaded.source,
    }
    if request.settings.template != CHAT:
        provenance["template_sha256"] = few_shot_template(request.settings.template).sha256
    return provenance


def _end_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """A chat model may end its turn by another token than the one that ends a text."""
    configured = model.generation_config.eos_token_id
    found = configured if isinstance(configured, list) else [configured]
    return tuple(dict.fromkeys(token for token in [*found, tokenizer.eos_token_id] if token is not None))


def _best_device() -> str:
    return "cuda" if import_engine("torch").cuda.is_available() else "cpu"


def _out_of_memory_error() -> type[Exception]:
    error: type[Exception] = import_engine("torch").OutOfMemoryError
    return error


def _check_deadline(started: float, deadline_s: float) -> None:
    if time.perf_counter() - started > deadline_s:
        raise DeadlineExceeded.after(deadline_s)


def _default_cache() -> Path:
    configured = os.environ.get(_CACHE_VARIABLE)
    if configured:
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "arena" / "models"
