import json

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from arena.catalog.models import Arena, PromptSet, System
from arena.generation.models import Job, Response
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(admin_client):
    return admin_client


def system_form(**changes):
    return {
        "name": "Newcomer",
        "slug": "newcomer",
        "organisation": "Us",
        "input_modality": "text",
        "output_modality": "text",
        "provider": "openai",
        "option_base_url": "http://127.0.0.1:9/v1",
        "option_model": "m",
        "template": "chat",
        "max_tokens": "64",
        "temperature": "0.5",
        "top_p": "1",
        "top_k": "0",
        "repetition_penalty": "1",
        "stop": "END\n\nSTOP",
        "status": "visible",
        **changes,
    }


def register(admin, **changes):
    return admin.post(reverse("admin:catalog_system_add"), system_form(**changes))


def errors(response):
    return json.dumps(response.context["adminform"].form.errors.get_json_data())


def test_a_system_is_registered_with_options_and_settings(admin):
    assert register(admin).status_code == 302
    system = System.objects.get()
    assert system.provider_options == {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
    assert system.generation_settings["stop"] == ["END", "STOP"]
    assert system.generation_settings["temperature"] == 0.5


def test_a_program_is_registered_by_name(admin):
    options = {"option_command": "espeak", "option_memory_mb": "512"}
    assert register(admin, provider="command", **options).status_code == 302
    assert System.objects.get().provider_options == {"command": "espeak", "memory_mb": "512"}


def test_the_form_shows_what_is_stored_and_saves_it_unchanged(admin):
    register(admin)
    system = System.objects.get()
    page = admin.get(reverse("admin:catalog_system_change", args=[system.pk]))
    form = page.context["adminform"].form
    fields = {name: form[name].value() for name in form.fields}
    admin.post(page.request["PATH_INFO"], {key: "" if v is None else v for key, v in fields.items()})
    before = (system.provider_options, system.generation_settings)
    system.refresh_from_db()
    assert (system.provider_options, system.generation_settings) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"option_base_url": ""}, "needs this"),
        ({"option_api_key_env": "sk-12345"}, "never a key"),
        ({"provider": "command"}, "needs this"),
        ({"provider": "command", "option_command": "/bin/sh"}, "never a path"),
        ({"option_api_key_env": "SECRET_KEY"}, "_API_KEY"),
        ({"temperature": "99"}, "less than or equal"),
        ({"status": "retired"}, "date and the reason"),
    ],
)
def test_a_mistake_in_the_form_is_explained(admin, changes, message):
    response = register(admin, **changes)
    assert response.status_code == 200
    assert message in errors(response)
    assert not System.objects.exists()


def test_a_system_with_answers_cannot_be_deleted(admin):
    arena = factories.arena(systems=1, prompts=1, answered=True)
    url = reverse("admin:catalog_system_delete", args=[arena.systems.get().pk])
    page = admin.post(url, {"post": "yes"}).content.decode()
    assert "Cannot delete system" in page
    assert System.objects.exists()


def upload(admin, name, content, **changes):
    form = {"title": "Mine", "slug": "mine", "version": "1.0", "licence": "CC0-1.0", **changes}
    file = SimpleUploadedFile(name, content)
    return admin.post(reverse("admin:catalog_promptset_add"), {**form, "prompts": file})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.txt", b"Eins?\n\nZwei?\n"),
        ("p.csv", b"id,text,category,language\n1,Eins?,Write,de\n2,Zwei?,Write,de\n"),
        ("p.jsonl", b'{"id": "1", "text": "Eins?"}\n{"id": "2", "text": "Zwei?"}\n'),
    ],
)
def test_prompts_are_uploaded_in_three_forms(admin, name, content):
    assert upload(admin, name, content).status_code == 302
    assert list(PromptSet.objects.get().prompts.values_list("text", flat=True)) == ["Eins?", "Zwei?"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.txt", b"\xff\xfe\x00bad", "not UTF-8"),
        ("p.txt", b"", "empty"),
        ("p.txt", b"\n \n", "no prompts"),
        ("p.csv", b"question\nEins?\n", "no column"),
        ("p.jsonl", b'{"text": "ok"}\n{"text": ', "Line 2: this is not JSON"),
        ("p.jsonl", b'["text"]\n', "Line 1: a JSON object"),
        ("p.jsonl", b'{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}\n', "used twice"),
        ("p.txt", b"x" * 30_000, "30,000 characters"),
        ("p.txt", b"a\x00b", "zero bytes"),
        ("p.jsonl", b'{"text": "a\\u0000b"}\n', "no text has"),
        ("p.jsonl", b'{"text": "a\\ud800b"}\n', "no text has"),
        ("p.jsonl", b'{"text": ["a"]}\n', "must be a text"),
        ("p.jsonl", b"[" * 100_000, "Line 1: this is not JSON"),
        ("p.csv", b"text\n" + b"x" * 140_000 + b"\n", "not CSV"),
    ],
)
def test_a_broken_prompt_file_is_refused_with_its_line(admin, name, content, message):
    response = upload(admin, name, content)
    assert response.status_code == 200
    assert message in errors(response)
    assert not PromptSet.objects.exists()


def test_an_arena_is_made_in_the_admin(admin):
    system, prompt_set = factories.system(), PromptSet.objects.create(slug="s", title="S")
    form = {
        "name": "My arena",
        "slug": "my-arena",
        "input_modality": "text",
        "output_modality": "text",
        "criterion": factories.criterion().pk,
        "prompt_sets": [prompt_set.pk],
        "is_open": "on",
        "is_listed": "on",
        "position": "5",
        "vote_licence": "CC-BY-4.0",
        "admissions-TOTAL_FORMS": "1",
        "admissions-INITIAL_FORMS": "0",
        "admissions-0-system": system.pk,
        "admissions-0-weight": "1",
    }
    assert admin.post(reverse("admin:catalog_arena_add"), form).status_code == 302
    assert Arena.objects.get().systems.get() == system


def test_a_system_of_another_modality_is_not_admitted(admin):
    arena = factories.arena()
    system = factories.system(output_modality="audio")
    page = admin.get(reverse("admin:catalog_arena_change", args=[arena.pk]))
    form = page.context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    data = {key: value for key, value in data.items() if value not in (None, False)}
    data["prompt_sets"] = [prompt_set.pk for prompt_set in arena.prompt_sets.all()]
    data |= {
        "admissions-TOTAL_FORMS": "1",
        "admissions-INITIAL_FORMS": "0",
        "admissions-0-system": system.pk,
        "admissions-0-weight": "1",
    }
    response = admin.post(page.request["PATH_INFO"], data)
    assert response.status_code == 200
    assert b"modalities are not those of the arena" in response.content


def test_every_admin_list_and_add_page_opens(admin):
    from django.contrib.admin import site

    factories.battle(factories.arena(systems=2, prompts=2, answered=True), factories.voter())
    for model, model_admin in site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert admin.get(reverse(f"{name}_changelist"), {"q": "x"}).status_code == 200, model
        if model_admin.has_add_permission(admin.get("/admin/").wsgi_request):
            assert admin.get(reverse(f"{name}_add")).status_code == 200, model


def test_pressing_test_it_makes_a_test_job_and_shows_its_end(admin):
    system = factories.system()
    response = admin.post(reverse("generation:test", args=[system.pk]), {"text": "Hello?"}, follow=True)
    assert b"Waiting for a worker" in response.content
    job = Job.objects.get()
    assert job.purpose == Job.Purpose.TEST
    Job.objects.update(status=Job.Status.FAILED, error="The endpoint cannot be reached.")
    url = reverse("generation:test_job", args=[job.pk])
    assert b"The endpoint cannot be reached." in admin.get(url).content
    Job.objects.update(status=Job.Status.DONE, error="")
    factories.response(system=system, prompt=job.prompt, text="Hi & bye", job=job, is_test=True)
    assert b"Hi &amp; bye" in admin.get(url).content


def test_visitors_cannot_test_a_system(client):
    system = factories.system()
    response = client.post(reverse("generation:test", args=[system.pk]), {"text": "Hello?"})
    assert response.status_code == 302
    assert not Job.objects.exists()


def test_failed_jobs_are_queued_again_from_the_list(admin):
    job = Job.objects.create(
        system=factories.system(), prompt=factories.prompt(), purpose="stock", seed=1, status="failed"
    )
    data = {"action": "queue_again", "_selected_action": [job.pk]}
    admin.post(reverse("admin:generation_job_changelist"), data)
    job.refresh_from_db()
    assert job.status == Job.Status.QUEUED
    assert not Response.objects.exists()


def test_a_system_with_answers_keeps_its_settings_but_not_its_name(admin):
    register(admin)
    System.objects.update(answered_at=timezone.now())
    url = reverse("admin:catalog_system_change", args=[System.objects.get().pk])
    response = admin.post(url, system_form(temperature="1.5"))
    assert b"would be another system" in response.content.replace(b"&#x27;", b"'")
    assert admin.post(url, system_form(name="Renamed")).status_code == 302
    assert System.objects.get().name == "Renamed"


@pytest.fixture
def looker(client, django_user_model):
    """May look at systems, and nothing more."""
    user = django_user_model.objects.create_user("looker", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_system"))
    client.force_login(user)
    return client


def test_staff_without_the_right_cannot_take_a_system_out(looker):
    system = factories.system()
    data = {"action": "make_private", "_selected_action": [system.pk]}
    looker.post(reverse("admin:catalog_system_changelist"), data)
    system.refresh_from_db()
    assert system.status == System.Status.VISIBLE


def test_staff_without_the_right_cannot_read_a_test(looker):
    system, prompt = factories.system(), factories.prompt("A secret question?")
    job = Job.objects.create(system=system, prompt=prompt, purpose="test", seed=1)
    response = looker.get(reverse("generation:test_job", args=[job.pk]))
    assert response.status_code == 403
    assert b"secret question" not in response.content
