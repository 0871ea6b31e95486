"""Finds the packages of the extra `local` without importing them."""

from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.place import EmbeddedError


def package_dir(package: str, *, instead: str) -> Path:
    """The directory of a package; `instead` is the setting that does without it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"the package {package} is not installed: pip install 'togglemaster[local]' or set {instead}"
        )
    return Path(spec.origin).resolve().parent
