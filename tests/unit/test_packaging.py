"""Plain top-level packages work only while nobody else installs the same names."""

from importlib.metadata import packages_distributions

OURS = {"domain", "commands", "projections", "api", "workers", "deploy"}


def test_no_other_distribution_owns_our_names() -> None:
    owners = packages_distributions()
    assert {name: set(owners[name]) for name in OURS & set(owners)} == {
        name: {"togglemaster"} for name in OURS & set(owners)
    }
