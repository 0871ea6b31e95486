"""The browser that the tests drive: this machine's, else Debian's. No package index has Chromium, and what
Playwright downloads is one more thing to trust."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.benchmarks.serving_tools import Tool, Unavailable, fetch, root_of

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PACKAGES = ("chromium", "fonts-dejavu-core")  # without any font there is nothing to see
UNPACKED = Path(__file__).parents[2] / ".chromium"
INSTALL_SECONDS = 600
ARGUMENTS = (
    "--no-sandbox",  # it shows our own pages only, and root has no sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-background-networking",  # or it calls its maker's hosts
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@cache
def chromium() -> Tool:
    """Installs it where it is missing and that may be done here. Raises Unavailable, saying what to do."""
    if found := _installed() or _unpacked():
        return found
    if not shutil.which("apt-get"):
        raise Unavailable("the console's tests need Chromium or Google Chrome in PATH; install one of them")
    if os.geteuid() == 0:
        _install()
    else:
        for name in PACKAGES:
            fetch(name, UNPACKED)
    if (found := _installed() or _unpacked()) is None:
        raise Unavailable("the package 'chromium' of this system has no browser in it; install one in PATH")
    return found


def _installed() -> Tool | None:
    return next((Tool(Path(found)) for name in NAMES if (found := shutil.which(name))), None)


def _unpacked() -> Tool | None:
    """Its program itself, as the script that starts it looks for that in /usr."""
    root = root_of(UNPACKED)
    program = root / "usr/lib/chromium/chromium"
    libraries = ":".join(sorted({str(file.parent) for file in root.glob("**/lib*.so*")}))
    return Tool(program, libraries) if program.is_file() else None


def _install() -> None:
    for arguments in (("update",), ("install", "--yes", "--no-install-recommends", *PACKAGES)):
        ended = subprocess.run(
            ["/usr/bin/apt-get", "-q", *arguments],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if ended.returncode != 0:
            raise Unavailable(f"`apt-get {arguments[0]}` failed: {ended.stderr.strip()[-500:]}")
