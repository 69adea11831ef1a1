"""Prompts with a good and an obviously worse response, written for these tests."""

# ruff: noqa: E501
from __future__ import annotations

from typing import NamedTuple


class Pair(NamedTuple):
    """`is_echo`: the worse response repeats words of the prompt, which a bag of words cannot tell."""

    prompt: str
    better: str
    worse: str
    is_echo: bool


# The question was chosen on these.
DEVELOPMENT = (
    Pair(
        "Why is the sky blue?",
        "Air scatters the short blue waves of sunlight more than the long red ones, so blue light reaches us from every side.",
        "The sky the sky the sky the sky the sky the sky.",
        True,
    ),
    Pair("What is 12 times 3?", "12 times 3 is 36.", "I like to go to the beach in summer.", False),
    Pair(
        "Write a two-line poem about autumn.",
        "Leaves of copper drift and fall,\nthe wind hums softly through it all.",
        "Error: file not found.",
        False,
    ),
    Pair(
        "Give me three tips for sleeping better.",
        "Go to bed at the same time every day, keep the room dark and cool, and avoid coffee in the evening.",
        "No.",
        False,
    ),
    Pair(
        "How do I boil an egg?",
        "Put the egg in boiling water for about eight minutes, then cool it in cold water and peel it.",
        "Eggs were first domesticated by the Roman emperor and are part of the tax system.",
        False,
    ),
    Pair(
        "Who wrote Romeo and Juliet?",
        "William Shakespeare wrote Romeo and Juliet in the 1590s.",
        "asdf jkl qwer zxcv uiop",
        False,
    ),
    Pair(
        "Explain what a virus is to a child.",
        "A virus is a tiny germ, much too small to see. It gets into your body and can make you feel ill until your body fights it off.",
        "A virus is a virus. A virus is a virus. A virus is a virus.",
        True,
    ),
    Pair(
        "Suggest a name for a coffee shop by the sea.",
        "How about 'Salt and Bean'? It is short and says both sea and coffee.",
        "The capital of Mongolia is Ulaanbaatar.",
        False,
    ),
    Pair(
        "Write a polite email to cancel a meeting.",
        "Dear Anna, I am sorry, but I cannot attend our meeting tomorrow. Could we find another day next week? Best regards, Tom",
        "Meetings meetings cancel cancel email polite polite",
        True,
    ),
    Pair(
        "Wie koche ich Nudeln?",
        "Bring Salzwasser zum Kochen, gib die Nudeln hinein und lass sie etwa zehn Minuten kochen. Dann abgiessen.",
        "Ich weiss nicht was Katze blau Montag.",
        False,
    ),
    Pair(
        "¿Cuál es la capital de Francia?",
        "La capital de Francia es París.",
        "El perro come manzanas en la luna.",
        False,
    ),
    Pair(
        "What should I pack for a hiking trip?",
        "Take water, a rain jacket, good shoes, some food, a map and a small first-aid kit.",
        "What should I pack for a hiking trip? What should I pack for a hiking trip?",
        True,
    ),
    Pair(
        "Translate 'good morning' into French.",
        "'Good morning' in French is 'bonjour'.",
        "Photosynthesis takes place in the leaves.",
        False,
    ),
    Pair(
        "Is it safe to eat raw chicken?",
        "No. Raw chicken can carry salmonella and should be cooked until it is no longer pink.",
        "Yes, yes, yes, yes, yes, yes, yes, yes, yes.",
        False,
    ),
)

# Looked at once, after the choice.
HELD_OUT = (
    Pair(
        "How do plants make food?",
        "Plants use sunlight, water and carbon dioxide to make sugar in their leaves. This is called photosynthesis.",
        "My favourite band plays on Friday night.",
        False,
    ),
    Pair(
        "What is the largest planet in our solar system?",
        "Jupiter is the largest planet in our solar system.",
        "planet planet planet planet planet planet planet",
        True,
    ),
    Pair(
        "Write a slogan for a bicycle shop.",
        "Two wheels, one freedom: ride with us.",
        "Undefined variable at line 7.",
        False,
    ),
    Pair(
        "How can I save money on groceries?",
        "Plan your meals for the week, write a list, buy seasonal vegetables and compare the prices per kilo.",
        "I do not want to talk about that.",
        False,
    ),
    Pair(
        "What causes thunder?",
        "Lightning heats the air so fast that it expands like an explosion, and we hear that as thunder.",
        "Thunder is caused by thunder is caused by thunder is caused by",
        True,
    ),
    Pair(
        "Tell me a short joke.",
        "Why did the scarecrow win a prize? Because he was outstanding in his field.",
        "The boiling point of water is 100 degrees Celsius at sea level.",
        False,
    ),
    Pair(
        "How do I change a bicycle tube?",
        "Take the wheel off, lift the tyre with levers, pull out the old tube, put in the new one, push the tyre back and pump it up.",
        "Bicycle.",
        True,
    ),
    Pair(
        "Give me a synonym for 'happy'.", "A synonym for 'happy' is 'cheerful'.", "zzkq pwoe rlfm vbnx", False
    ),
    Pair(
        "Wie viele Tage hat eine Woche?",
        "Eine Woche hat sieben Tage.",
        "Blumen Auto gestern fliegen Suppe.",
        False,
    ),
    Pair(
        "Donne-moi une idée de dessert simple.",
        "Tu peux faire une mousse au chocolat : fais fondre du chocolat, ajoute des blancs d'oeufs battus et laisse au frais.",
        "Le train part à huit heures du matin.",
        False,
    ),
    Pair(
        "Explain gravity in one sentence.",
        "Gravity is the force that pulls objects with mass towards each other, such as an apple towards the Earth.",
        "Sorry sorry sorry sorry sorry sorry sorry",
        False,
    ),
    Pair(
        "What is a good present for a grandmother who likes gardening?",
        "A pair of good gloves or a beautiful pot with seeds would suit a grandmother who enjoys gardening.",
        "The stock market closed lower on Tuesday.",
        False,
    ),
    Pair(
        "Write one sentence about a dragon.",
        "The old dragon slept on its gold while snow covered the mountain.",
        "Please enter your password to continue.",
        False,
    ),
    Pair(
        "Why do cats purr?",
        "Cats purr when they are content, and sometimes to calm themselves when they are ill or afraid.",
        "Because because because because.",
        False,
    ),
)
