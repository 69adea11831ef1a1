"""Which answers give away who wrote them, and which only mention a painter, an animal or a wind."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.battles.identity import IdentityWords, find_leak, identity_words

NAMES = [
    "SmolLM2-135M-Instruct (greedy)",
    "SmolLM2-135M-Instruct (careful)",
    "Gemma 3 270M (few-shot)",
    "anthropic/claude-2",
    "alpaca-13b",
    "LLaMA 2 Chat (70B)",
    "Mistral-7B-Instruct-v0.1",
    "Pebble",
    "StoneMason-1.5B",
    "Echo 2",
    "Model A",
]
MAKERS = ["Hugging Face", "Google", "Meta", "Anthropic", "Quarry Labs", "River", ""]


@pytest.fixture(scope="module")
def words() -> IdentityWords:
    return identity_words(NAMES, MAKERS)


# (answer, name it gives away)
LEAKS = {
    "a clear name": ("Tools such as ChatGPT can help you.", "ChatGPT"),
    "a clear maker": ("OpenAI published a paper on that.", "OpenAI"),
    "a name in capitals": ("ask CHATGPT", "ChatGPT"),
    "a name with a blank": ("gpt 4 would say the same", "GPT-4"),
    "a name with an underscore": ("See gpt_4 for details", "GPT-4"),
    "a name without a hyphen": ("GPT4 is large", "GPT-4"),
    "a name with a suffix": ("I compared it with GPT-4o.", "GPT-4"),
    "a name with a minor version": ("As of GPT-4.1 this is solved.", "GPT-4"),
    "a name in a web address": ("Look at https://chat.openai.com/ for help.", "OpenAI"),
    "a name in code": ("```python\nimport openai\n```", "OpenAI"),
    "a name in bold": ("**Anthropic**'s view is different.", "Anthropic"),
    "a possessive": ("DeepSeek's answer", "DeepSeek"),
    "a system of the arena": ("This is what SmolLM2-135M-Instruct does.", "SmolLM2-135M-Instruct"),
    "its family with version": ("I like SmolLM2 best.", "SmolLM2"),
    "its family": ("SmolLM is small.", "SmolLM"),
    "its family, taken apart": ("I like smol lm 2 best.", "SmolLM2"),
    "an unknown system of the arena": ("stonemason 1.5b is fast", "StoneMason-1.5B"),
    "an unknown system's family": ("Trust Stone-Mason!", "StoneMason"),
    "a maker that sounds like one": ("The people of Quarry Labs know.", "Quarry Labs"),
    "a size behind an ordinary word": ("Gemma 3 270M runs on phones.", "Gemma 3 270M"),
    "a version behind an ordinary word": ("Claude-2 and claude 2 are the same.", "Claude 2"),
    "llama with a version": ("LLaMA-2 was released in summer.", "LLaMA 2"),
    "the spelling LLaMA": ("I have read the LLaMA paper.", "LLaMA"),
    "full-width letters": ("Ｃｈａｔ ＧＰＴ helps", "ChatGPT"),
    "zero-width characters": ("Open\u200bA\u200dI and Chat\u00adGPT", "OpenAI"),
    "look-alike letters": ("ОреnАІ made it", "OpenAI"),
    "a non-breaking hyphen": ("GPT\u20114", "GPT-4"),
    "a chinese name": ("你可以使用通义千问。", "通义千问"),
    "a latin name inside chinese": ("我是Qwen,很高兴认识你。", "Qwen"),
    "I am": ("I am Claude.", "Claude"),
    "I'm, with a typographic apostrophe": ("Hi! I’m Gemini, how can I help you?", "Gemini"),
    "im": ("im gemma, nice to meet you", "Gemma"),
    "my name is": ("My name is Mistral.", "Mistral"),
    "my name is, in bold": ("Sure! My name is **Claude**.", "Claude"),
    "called": ("I am a small AI assistant called Pebble that lives here.", "Pebble"),
    "a model of": ("I am a language model from River, trained on books.", "River"),
    "an article before and model after": ("I'm a Llama model and cannot browse.", "LLaMA"),
    "trained by": ("I was trained by Google on public text.", "Google"),
    "trained by a team": ("As an AI model trained by a team at Meta, I have no feelings.", "Meta"),
    "large language model trained by": ("I am a large language model, trained by Google.", "Google"),
    "made by": ("I am an assistant made by Alibaba Cloud.", "Alibaba Cloud"),
    "built me": ("The engineers at Apple built me last year. Apple built me well.", "Apple"),
    "my creators": ("My creators at Google did not tell me.", "Google"),
    "as": ("As Claude, I try to be honest.", "Claude"),
    "this model": ("This assistant is based on Vicuna and speaks English.", "Vicuna"),
    "trained me": ("Google trained me on a lot of text.", "Google"),
    "made at": ("I was created at Google.", "Google"),
    "my developer, a name": ("Ask my developer, Google.", "Google"),
    "a family of models": ("I belong to the Gemini family of models.", "Gemini"),
    "here": ("Hello, Gemma here!", "Gemma"),
    "talking to": ("You are talking to Gemma, an assistant.", "Gemma"),
    "an own system with an everyday name": ("Hello! I am Echo, how may I help?", "Echo"),
    "german: bin": ("Ich bin Claude, ein hilfreicher Assistent.", "Claude"),
    "german: heiße": ("Hallo! Ich heiße Gemma.", "Gemma"),
    "german: wurde entwickelt": ("Ich wurde von Google entwickelt.", "Google"),
    "german: sprachmodell von": ("Ich bin ein Sprachmodell von Meta.", "Meta"),
    "french: je suis": ("Je suis Mistral, un assistant.", "Mistral"),
    "french: je m'appelle": ("Bonjour, je m’appelle Claude.", "Claude"),
    "french: développé par": ("Je suis un modèle de langage développé par Google.", "Google"),
    "spanish: soy": ("Hola, soy Gemini, tu asistente.", "Gemini"),
    "spanish: entrenado por": ("Soy un modelo de lenguaje entrenado por Google.", "Google"),
    "portuguese: sou": ("Olá! Eu sou o Gemini, um modelo de linguagem.", "Gemini"),
    "portuguese: pela": ("Fui criado pela Meta para ajudar.", "Meta"),
    "italian: sono": ("Ciao, sono Claude, un assistente.", "Claude"),
    "chinese: 由…开发": ("我是由阿里云开发的语言模型。", "阿里云"),
    "chinese: 我叫": ("你好，我叫豆包。", "豆包"),
    "chinese: …训练的": ("我是一个由Google训练的大型语言模型。", "Google"),
}


@pytest.mark.parametrize(("answer", "name"), LEAKS.values(), ids=LEAKS)
def test_answer_that_names_a_system_or_its_maker_is_a_leak(
    answer: str, name: str, words: IdentityWords
) -> None:
    assert find_leak(answer, words) == name


NO_LEAKS = {
    "nothing": "",
    "an ordinary answer": "I am happy to help. First, boil the water. Then add the rice.",
    "claude monet": "Claude Monet painted water lilies. I am a great admirer of Claude Monet.",
    "i am with a painter's name": "Imagine the painter speaking: I am Claude Monet and I love light",
    "the animal": "The llama is an animal of the Andes. I am fond of my llama.",
    "a ride on a llama": "I was riding a llama through Peru when it began to rain.",
    "an alpaca": "An alpaca gives warm wool.",
    "the zodiac": "She was born in June, so she is a Gemini. I'm a Gemini too.",
    "the space programme": "Gemini 12 flew in 1966.",
    "the wind": "The Mistral blows down the Rhône valley in winter.",
    "meta": "That is a very meta joke about metadata and metaphors.",
    "meta in french": "C'est une méta-analyse.",
    "a rocket": "The Falcon 9 landed on a ship.",
    "a verb": "I can't grok this, but words cohere.",
    "the anthropic principle": "The anthropic principle says that we observe a world in which we can live.",
    "the minimax algorithm": "Use minimax with alpha-beta pruning.",
    "explainable ai": "XAI is the field of explainable AI.",
    "a search on google": "You can google it, or search on Google or Bing.",
    "an apple": "I am eating an apple. As an apple a day keeps the doctor away, I eat one.",
    "a company's product": "Android was created by Google, and Windows was developed by Microsoft.",
    "an ai of somebody else": "Siri is an AI assistant.",
    "a friend's name": "Gemma has 3 apples and Tom has 2. Gemma 3, Tom 2.",
    "a name in a dialogue": '"Hello, my name is Claude," said the boy and smiled.',
    "a name in a french dialogue": "« Je m'appelle Claude », dit le garçon.",
    "a name that goes on": "My name is Gemma and I live in Leeds with my two sons.",
    "a partition table": "Choose GPT or MBR as the partition table.",
    "open ai": "We did open AI research in the open AI community.",
    "hugging": "They were hugging; her face was red.",
    "an everyday word that is a system": "The pebble fell into the river, and an echo came back.",
    "an everyday word that is a maker": "I am walking along the river. As the river rises, I turn back.",
    "generic parts of names": "I am a model. This is a small test, version 2, instruct, base, 135M.",
    "part of a word": "Smollmann, Qwents and notchatgpts do not exist. Metallic llamas, applesauce.",
    "a german sentence": "Ich finde, dass der Lama-Film von Apple gut ist. Ich bin müde.",
    "a french sentence": "Je suis allé chez Apple. J'ai été surpris.",
    "a spanish sentence": "Fui a Google Maps. Soy de Lima.",
    "a chinese sentence": "我是学生。我喜欢豆包和苹果。",
    "an own sound": "I was startled by the echo.",
    "first person about a company": "I was impressed by Google Maps when I was in Rome.",
    "an animal is here": "The llama here is mine. Hello, llama!",
    "somebody's employee": "I am a Google employee. I work at Apple. I was in Google's office.",
    "somebody's name": "My name is Gemma Smith. My pet llama is called Claude. Dear Claude, I am sorry.",
    "two friends": "I have two friends, Claude and Gemma.",
    "news about a company": "Meta released a language model made by its AI team. I am surprised.",
    "an app": "I was using the Gemini app, an AI assistant.",
    "first person about a garden": "I was in the garden designed by Claude Monet",
}


@pytest.mark.parametrize("answer", NO_LEAKS.values(), ids=NO_LEAKS)
def test_answer_that_only_sounds_like_it_is_no_leak(answer: str, words: IdentityWords) -> None:
    assert find_leak(answer, words) is None


WITH_PROMPT = {
    "a name the prompt gives": ("Write about OpenAI.", "OpenAI is a laboratory in California.", None),
    "the same name spelt otherwise": ("what is chat-gpt?", "ChatGPT is a chatbot.", None),
    "another name": ("Write about OpenAI.", "OpenAI made ChatGPT.", "ChatGPT"),
    "the given name as its own": ("What is ChatGPT?", "I am ChatGPT, a chatbot.", "ChatGPT"),
    "the given maker as its own": ("Who founded OpenAI?", "I was trained by OpenAI.", "OpenAI"),
    "the spelling the prompt gives": ("Explain the LLaMA paper.", "LLaMA is a family of models.", None),
    "a story told by an animal": ("Write a story told by a llama.", "I am Llama. I eat grass.", None),
    "the wind speaks": ("Poem: let the Mistral speak.", "I am Mistral, cold and loud.", None),
    "no story": ("Write a story told by a llama.", "I am Llama, an AI assistant.", "LLaMA"),
    "asked for its name": ("Are you Claude?", "I am Claude.", "Claude"),
    "asked, and said yes": ("Are you ChatGPT?", "Yes! How can I help?", "ChatGPT"),
    "asked in german, and said yes": ("Bist du Gemini?", "Ja, das stimmt.", "Gemini"),
    "asked about the animal": ("Are you fond of Claude Monet?", "Yes, very.", None),
    "asked, and said no": ("Are you ChatGPT?", "No, I am not.", None),
    "a denial that names nobody else": ("Are you ChatGPT?", "No, I am not ChatGPT.", None),
    "a denial that names somebody else": ("Are you ChatGPT?", "No, I am Claude.", "Claude"),
}


@pytest.mark.parametrize(("prompt", "answer", "name"), WITH_PROMPT.values(), ids=WITH_PROMPT)
def test_name_in_the_prompt_counts_only_where_the_answer_takes_it_for_its_own(
    prompt: str, answer: str, name: str | None, words: IdentityWords
) -> None:
    assert find_leak(answer, words, prompt=prompt) == name


def test_first_name_of_an_answer_is_reported(words: IdentityWords) -> None:
    assert find_leak("Mixtral, ChatGPT and OpenAI.", words) == "Mixtral"


def test_ordinary_word_of_another_arena_is_no_name_here() -> None:
    answer = "I am Pebble, an AI assistant."
    assert find_leak(answer, identity_words(["Pebble"], [])) == "Pebble"
    assert find_leak(answer, identity_words([], [])) is None


def test_the_same_names_are_prepared_once() -> None:
    assert identity_words(["b", "a"], iter(["c"])) is identity_words(["a", "b", "a"], ["c"])


@pytest.mark.parametrize("name", ["", " ", "-", "(", "7B", "Model", "Fake A", "ai", "*", "\u200b", "T5 base"])
def test_name_that_says_nothing_does_no_harm(name: str) -> None:
    assert find_leak("I am a small model of size 7B, base and fake.", identity_words([name], [name])) is None


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=100), st.text(max_size=100))
def test_any_names_and_texts_are_understood(name: str, maker: str, text: str, prompt: str) -> None:
    find_leak(text, identity_words([name], [maker]), prompt=prompt)


@given(st.sampled_from(["SmolLM2", "ChatGPT", "Anthropic"]), st.text("abc .,\n", max_size=300))
def test_clear_name_is_found_in_any_surroundings(name: str, around: str) -> None:
    words = identity_words(NAMES, MAKERS)
    assert find_leak(f"{around} {name} {around}", words) == name


ORDINARY = "I am sure that the llama, a friend of Claude and Gemma, was trained by nobody at Meta or Google. "
USUAL = {
    "plain": "The quick brown fox jumps over the lazy dog and says that all is well. " * 142,
    "umlauts": "Über die grüne Brücke gehen fröhliche Mädchen im späten März nach Köln. " * 142,
    "chinese": "水在高山上为什么不到一百度就会沸腾呢请用两三句话回答这个问题。" * 320,
    "first person": "I am happy to help. As an example, I was asked about google and an apple. " * 130,
}
ODD = {
    "full of ordinary names": (ORDINARY * 105)[:10_000],
    "one word": "llama " * 1_666,
    "one long sentence": "i am " * 2_000,
}


def least_time_s(text: str, words: IdentityWords) -> float:
    took_s = []
    for _ in range(7):
        began = time.process_time()
        find_leak(text, words, prompt="Tell me.")
        took_s.append(time.process_time() - began)
    return min(took_s)


@pytest.mark.parametrize("text", USUAL.values(), ids=USUAL)
def test_usual_answer_of_ten_thousand_characters_is_read_in_milliseconds(
    text: str, words: IdentityWords
) -> None:
    assert least_time_s(text, words) < 0.02  # under 5 ms where nothing else runs


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_answer_of_ten_thousand_characters_is_read_in_a_tenth_of_a_second(
    text: str, words: IdentityWords
) -> None:
    assert least_time_s(text, words) < 0.2


def test_time_grows_no_faster_than_the_answer(words: IdentityWords) -> None:
    began = time.process_time()
    for unit in (
        "i am an ai called ",
        "claude ",
        "my name is ",
        "gpt ",
        "by google ",
        '"',
        "我是",
        "a.b.",
        " ",
    ):
        find_leak(unit * (200_000 // len(unit)), words, prompt=unit * 1_000)
    assert time.process_time() - began < 5
