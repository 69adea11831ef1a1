"""What each provider needs to know, for the admin's form. The workers' backends read the same names."""

from __future__ import annotations

from typing import NamedTuple

from arena.catalog.models import Provider


class Option(NamedTuple):
    name: str
    label: str
    help_text: str
    providers: tuple[Provider, ...]
    required: bool = False


OPTIONS = (
    Option(
        "base_url",
        "Endpoint",
        "For example http://gpu-1:8000/v1, or env:NAME to read it from the worker's environment.",
        (Provider.OPENAI,),
        required=True,
    ),
    Option(
        "model",
        "Model",
        "The model's name at the endpoint; for transformers a folder or a repository on the hub.",
        (Provider.OPENAI, Provider.TRANSFORMERS),
        required=True,
    ),
    Option(
        "api_key_env",
        "API key variable",
        "The NAME of an environment variable of the worker that holds the key, ending in _API_KEY. "
        "Never the key itself.",
        (Provider.OPENAI,),
    ),
    Option(
        "dialect",
        "Dialect",
        "extended (also sends top_k and the repetition penalty; llama.cpp, vLLM) or openai.",
        (Provider.OPENAI,),
    ),
    Option(
        "timeout_s",
        "Silence allowed (s)",
        "Seconds without data before a try is given up.",
        (Provider.OPENAI,),
    ),
    Option(
        "tries",
        "Tries",
        "Requests for one answer at most, while the endpoint is busy or out of reach; empty: 3.",
        (Provider.OPENAI,),
    ),
    Option(
        "requests_per_minute",
        "Requests a minute",
        "Of each worker process, at most; empty: no limit.",
        (Provider.OPENAI,),
    ),
    Option(
        "budget_tokens_per_day",
        "Tokens a day",
        "Of prompts and answers, counted by each worker process from its start (days of UTC); "
        "empty: no limit.",
        (Provider.OPENAI,),
    ),
    Option(
        "gguf_file",
        "GGUF file",
        "Its name inside the folder, if the weights are GGUF.",
        (Provider.TRANSFORMERS,),
    ),
    Option("dtype", "Precision", "auto, float32, float16 or bfloat16.", (Provider.TRANSFORMERS,)),
    Option("device", "Device", "auto, cpu, cuda, cuda:1 …", (Provider.TRANSFORMERS,)),
    Option(
        "max_context",
        "Context (tokens)",
        "Prompt and answer together; empty: what the model was trained for.",
        (Provider.TRANSFORMERS,),
    ),
    Option(
        "command",
        "Command",
        "The NAME of a program in the worker's COMMAND_BACKENDS. Never a path.",
        (Provider.COMMAND,),
        required=True,
    ),
    Option("variant", "Variant", "Handed to the program: a voice or a checkpoint, say.", (Provider.COMMAND,)),
    Option(
        "environment",
        "Variables",
        "Names of variables that the program gets, comma-separated; all in the worker's COMMAND_ENVIRONMENT.",
        (Provider.COMMAND,),
    ),
    Option(
        "memory_mb",
        "Memory (MiB)",
        "Address space of each process; empty: 4096; 0: no limit, which CUDA needs.",
        (Provider.COMMAND,),
    ),
    Option(
        "output_mb",
        "Output (MiB)",
        "What the program may write in all, temporary files included; empty: 256; 0: no limit.",
        (Provider.COMMAND,),
    ),
)
