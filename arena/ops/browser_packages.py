"""`python -m arena.ops.browser_packages`: Chromium and fonts for browser tests, where we may install them.

Never fails: without a browser those tests are skipped with a sentence, and this prints what to do about it.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
FONTS = Path("/usr/share/fonts")
PACKAGES = {
    "chromium": CHROMIUM,
    "fonts-noto-core": FONTS / "truetype/noto/NotoSans-Regular.ttf",
    "fonts-noto-cjk": FONTS / "opentype/noto/NotoSansCJK-Regular.ttc",
    "fonts-noto-color-emoji": FONTS / "truetype/noto/NotoColorEmoji.ttf",
}
LIMIT_S = 900


def missing_packages(environment: Mapping[str, str]) -> list[str]:
    """The Debian packages whose files are not here; a CHROMIUM of the person's own stands for the first."""
    own = environment.get("CHROMIUM")
    return [
        name
        for name, proof in PACKAGES.items()
        if not proof.exists() and not (name == "chromium" and own and shutil.which(own))
    ]


def root_prefix() -> list[str] | None:
    """What to put before a command that needs root; None when we may not."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    asked = subprocess.run([sudo, "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return [sudo, "-n"] if asked.returncode == 0 else None


def main() -> None:
    missing = missing_packages(os.environ)
    if not missing:
        print("They are installed.")
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    advice = (
        f"Install them yourself with `{' '.join(command)}`; without Chromium the browser tests are skipped."
    )
    if shutil.which("apt-get") is None:
        print(f"This machine has no apt-get and lacks {', '.join(missing)}: browser tests may be skipped.")
        return
    prefix = root_prefix()
    if prefix is None:
        print(f"Installing needs root or sudo without a password. {advice}")
        return
    print(f"Installing {', '.join(missing)} ...", flush=True)
    prefix = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive"]
    if not (succeeds([*prefix, "apt-get", "update"]) and succeeds([*prefix, *command])):
        print(f"apt-get could not do it; its words are above. {advice}")


def succeeds(command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    main()
