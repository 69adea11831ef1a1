"""A program for the command backend that keeps its whole contract: words by a hash, a pause for each."""

import hashlib
import json
import random
import sys
import time

CONTEXT_WORDS = 200
WORDS = ["amber", "bridge", "cloud", "dance", "early", "forest", "gentle", "harbour", "island", "jolly"]

asked = json.load(sys.stdin)
settings = asked["settings"]
prompt_words = sum(len(message["content"].split()) for message in asked["messages"])
if prompt_words > CONTEXT_WORDS:
    error = {"kind": "prompt_too_long", "prompt_tokens": prompt_words, "limit_tokens": CONTEXT_WORDS}
    json.dump({"error": error}, sys.stdout)
    sys.exit(0)
seed = asked["seed"] if settings["temperature"] > 0 else None
key = json.dumps([asked["messages"], seed])
rng = random.Random(hashlib.sha256(key.encode()).digest())
length = rng.randint(100, 160)
used = min(length, settings["max_tokens"])
words = [rng.choice(WORDS) for _ in range(used)]
time.sleep(0.005 * used)
sys.stdout.write("progress may be printed before the last line\n")
result = {
    "text": " ".join(words),
    "finish_reason": "stop" if used == length else "length",
    "prompt_tokens": prompt_words,
    "completion_tokens": used,
}
json.dump(result, sys.stdout)
