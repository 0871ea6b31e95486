"""What is said of changes, in each language: whole phrases with places for what is filled in.

These are tables and no files, so that the domain reads nothing and no wheel can lack one. To add a language,
add a module with the same keys and places, and a line here.
"""

from collections.abc import Mapping

from domain.languages.en import EN
from domain.languages.pt_br import PT_BR

LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": EN, "pt-BR": PT_BR}
"""By their tags (RFC 5646). The first is for whoever asks for none of them."""
