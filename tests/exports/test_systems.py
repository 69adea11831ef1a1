import pytest

from arena.catalog.models import Provider, System
from arena.exports.importers.systems import PublishedSystem, SystemBook
from tests import factories

pytestmark = pytest.mark.django_db


def published(name="Ten", key="10", organisation="House"):
    return PublishedSystem(key=key, name=name, organisation=organisation)


def test_a_system_that_is_run_here_is_never_taken_for_a_published_one():
    own = factories.system("Ten", organisation="House")
    found = SystemBook(source="llmfao").find_or_create(published())
    assert found.pk != own.pk
    assert found.name == "Ten (llmfao)"
    assert found.provider == Provider.NONE


@pytest.mark.parametrize("organisation", ["House", ""])
def test_an_imported_system_of_the_same_or_no_organisation_is_reused(organisation):
    known = factories.system("Ten", organisation=organisation, provider=Provider.NONE, provider_options={})
    assert SystemBook(source="llmfao").find_or_create(published()).pk == known.pk


def test_an_imported_system_of_another_organisation_is_another_system():
    known = factories.system("Ten", organisation="Barn", provider=Provider.NONE, provider_options={})
    assert SystemBook(source="llmfao").find_or_create(published()).pk != known.pk


def test_two_ids_of_one_file_with_the_same_name_stay_two_systems():
    book = SystemBook(source="llmfao")
    first, second, third = (book.find_or_create(published(key=key)) for key in ("1", "2", "3"))
    assert [first.name, second.name, third.name] == ["Ten", "Ten (llmfao)", "Ten (llmfao 3)"]


def test_a_renamed_system_is_found_again_by_its_id():
    made = SystemBook(source="llmfao").find_or_create(published())
    System.objects.filter(pk=made.pk).update(name="The Ten")
    book = SystemBook(source="llmfao")
    assert book.find_or_create(published()).pk == made.pk
    assert book.added == 0


def test_slugs_stay_unique_when_names_differ_only_in_signs():
    book = SystemBook(source="mtbench")
    slugs = [
        book.find_or_create(published(name, key=name)).slug for name in ("GPT 4", "gpt-4", "GPT: 4", "!!!")
    ]
    assert slugs == ["gpt-4", "gpt-4-mtbench", "gpt-4-2", "system"]
