"""The admin's guided forms: register a system, upload a prompt set."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from arena.catalog.models import PromptSet, Provider, System
from arena.catalog.prompt_files import PromptFileError, PromptRow, read_prompt_file
from arena.catalog.providers import OPTIONS

OPTION_PREFIX = "option_"
KEY_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*_API_KEY")
COMMAND_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
MAX_UPLOAD_BYTES = 5_000_000


class SystemForm(forms.ModelForm):  # type: ignore[type-arg]
    """Options and generation settings as plain fields, kept as JSON in the row."""

    max_tokens = forms.IntegerField(
        min_value=1, max_value=32768, initial=256, label="Longest answer (tokens)"
    )
    temperature = forms.FloatField(min_value=0, max_value=5, initial=0.7, help_text="0 = greedy.")
    top_p = forms.FloatField(min_value=0.01, max_value=1, initial=1.0, help_text="1 = off.")
    top_k = forms.IntegerField(min_value=0, initial=0, help_text="0 = off.")
    repetition_penalty = forms.FloatField(
        min_value=0.1, max_value=10, initial=1.0, help_text="1 = off; small models like 1.1."
    )
    system_prompt = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    template = forms.ChoiceField(
        choices=[("chat", "The model's own chat format"), ("few-shot-v1", "Few-shot examples (base models)")],
        help_text="Base models answer through the completions endpoint after a few examples.",
    )
    stop = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Stop texts",
        help_text="One per line; generation ends there.",
    )

    class Meta:
        model = System
        exclude = ["provider_options", "generation_settings"]  # noqa: DJ006  (kept by the fields above)
        field_classes = {"link": partial(forms.URLField, assume_scheme="https")}

    GENERATION = (
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "repetition_penalty",
        "system_prompt",
        "template",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for option in OPTIONS:
            providers = " and ".join(str(provider.label) for provider in option.providers)
            self.fields[OPTION_PREFIX + option.name] = forms.CharField(
                required=False, label=option.label, help_text=f"{option.help_text} ({providers})"
            )
            self.initial.setdefault(
                OPTION_PREFIX + option.name, self.instance.provider_options.get(option.name, "")
            )
        for name in self.GENERATION:
            if name in self.instance.generation_settings:
                self.initial[name] = self.instance.generation_settings[name]
        self.initial["stop"] = "\n".join(self.instance.generation_settings.get("stop", []))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        provider = cleaned.get("provider", "")
        for option in OPTIONS:
            value = cleaned.get(OPTION_PREFIX + option.name, "")
            if provider in option.providers and option.required and not value:
                self.add_error(OPTION_PREFIX + option.name, f"{Provider(provider).label} needs this.")
        key = cleaned.get(OPTION_PREFIX + "api_key_env", "")
        if key and not KEY_VARIABLE.fullmatch(key):
            self.add_error(
                OPTION_PREFIX + "api_key_env",
                "This must be the name of an environment variable that ends in _API_KEY; never a key.",
            )
        command = cleaned.get(OPTION_PREFIX + "command", "")
        if command and not COMMAND_NAME.fullmatch(command):
            self.add_error(
                OPTION_PREFIX + "command",
                "This must be a name in the worker's COMMAND_BACKENDS (a-z, 0-9, - and _); never a path.",
            )
        if not self.errors:
            self._refuse_another_system(cleaned)
        return cleaned

    def _refuse_another_system(self, cleaned: dict[str, Any]) -> None:
        """Answers and votes belong to the system as it was."""
        if self.instance.answered_at is None:
            return
        stored = System.objects.get(pk=self.instance.pk)
        before = (stored.provider, stored.revision, stored.provider_options, stored.generation_settings)
        after = (cleaned["provider"], cleaned["revision"], self._options(cleaned), self._settings(cleaned))
        if before != after:
            self.add_error(
                None,
                "This system has answers. With another provider, revision, option or setting it would be "
                "another system: register that one beside it.",
            )

    def _options(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """The options of the chosen provider; what only an importer writes is kept."""
        known = {option.name for option in OPTIONS}
        kept = {name: value for name, value in self.instance.provider_options.items() if name not in known}
        return kept | {
            option.name: cleaned[OPTION_PREFIX + option.name]
            for option in OPTIONS
            if cleaned["provider"] in option.providers and cleaned[OPTION_PREFIX + option.name]
        }

    def _settings(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        settings = {name: cleaned[name] for name in self.GENERATION if cleaned[name] not in ("", None)}
        stop = [line for line in cleaned["stop"].splitlines() if line.strip()]
        return {**settings, "stop": stop} if stop else settings

    def save(self, commit: bool = True) -> Any:
        self.instance.generation_settings = self._settings(self.cleaned_data)
        self.instance.provider_options = self._options(self.cleaned_data)
        return super().save(commit)


class PromptSetForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new prompt set, with its prompts in one file."""

    prompts = forms.FileField(
        required=False,
        label="Prompts",
        help_text="A text file with one prompt per line, a CSV with a column “text” (and “id”, “category”, "
        "“language” if you like), or JSON Lines with the same keys. For other prompts, add a new version.",
    )
    rows: list[PromptRow]

    class Meta:
        model = PromptSet
        fields = ["title", "slug", "version", "description", "licence"]

    def clean_prompts(self) -> UploadedFile[bytes] | None:
        upload: UploadedFile[bytes] | None = self.cleaned_data["prompts"]
        self.rows = []
        if upload is None:
            return None
        if self.instance.pk and self.instance.prompts.exists():
            raise forms.ValidationError("This version has its prompts. Add a new version for other prompts.")
        if (upload.size or 0) > MAX_UPLOAD_BYTES:
            raise forms.ValidationError("The file is larger than 5 MB.")
        try:
            self.rows = read_prompt_file(upload.name or "", upload.read())
        except PromptFileError as error:
            raise forms.ValidationError(str(error)) from error
        return upload
