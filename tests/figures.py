"""What tests on bad days counted, told at the end of the run."""

TOLD: list[str] = []


def tell(what: str, **figures: object) -> None:
    """A line for the summary at the end of the run."""
    said = (f"{name.replace('_', ' ')} {value}" for name, value in figures.items())
    TOLD.append(f"{what}: {', '.join(said)}")
