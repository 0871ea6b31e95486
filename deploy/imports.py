"""`togglemaster import`: flags of other systems.

Each command imports what it runs when it runs, as those in cli.py do.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from commands.importers import VendorName
from deploy.settings import Settings, read_settings

app = typer.Typer(
    help="Make the flags of another system, all at once or none; everybody keeps their bucket.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out, err = Console(), Console(stderr=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be made.")]
Partial = Annotated[bool, typer.Option("--partial", help="Import the rest where something is refused.")]


def _import_from(vendor: VendorName) -> Callable[..., None]:
    def import_flags(
        file: Annotated[Path, typer.Argument(help="The vendor's JSON.")],
        project: Annotated[str, typer.Option()] = "default",
        environment: Annotated[str, typer.Option()] = "production",
        dry_run: DryRun = False,
        partial: Partial = False,
    ) -> None:
        from deploy.transfer import import_file

        import_file(
            _settings(),
            vendor,
            file,
            project=project,
            environment=environment,
            dry_run=dry_run,
            partial=partial,
            out=out,
        )

    return import_flags


for each in VendorName:
    app.command(each.value, help=f"Make the flags and segments of a file of {each}'s.")(_import_from(each))


@app.command()
def original(
    postgres_url: Annotated[
        str, typer.Argument(help="Where its tables are: postgresql://USER:PASSWORD@HOST/DATABASE")
    ] = "",
    flags_url: Annotated[str, typer.Option(help="Where `flags` is, if elsewhere.")] = "",
    rules_url: Annotated[str, typer.Option(help="Where `targeting_rules` is, if elsewhere.")] = "",
    keys_url: Annotated[str, typer.Option(help="Where `api_keys` is, if elsewhere.")] = "",
    dry_run: DryRun = False,
    partial: Partial = False,
) -> None:
    """Make the flags, rules and keys of the original ToggleMaster, read from its PostgreSQL.

    Into project default, environment production. Its keys keep working. Run again it changes nothing.
    """
    from deploy.original_import import import_original
    from deploy.original_tables import read_tables
    from deploy.told import Told

    urls = {"flags_url": flags_url, "rules_url": rules_url, "keys_url": keys_url}
    found = {name: url or postgres_url for name, url in urls.items()}
    if missing := [name for name, url in found.items() if not url]:
        raise Told(f"give POSTGRES_URL, or --{missing[0].replace('_', '-')} too")
    import_original(_settings(), read_tables(**found), dry_run=dry_run, partial=partial, out=out, err=err)


def _settings() -> Settings:
    from deploy.logs import configure_logging

    settings = read_settings()
    configure_logging(settings)
    return settings
