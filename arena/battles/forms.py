"""The form of "Ask your own prompt"."""

from django import forms
from django.conf import settings

from arena.battles.services import PromptRefused, prompt_clean


class AskForm(forms.Form):
    text = forms.CharField(
        label="Your prompt",
        strip=True,
        error_messages={"required": "Please write a prompt first."},
        widget=forms.Textarea(attrs={"rows": 5, "maxlength": settings.PROMPT_MAX_CHARS}),
    )

    def clean_text(self) -> str:
        try:
            return prompt_clean(self.cleaned_data["text"])
        except PromptRefused as error:
            raise forms.ValidationError(str(error)) from error
