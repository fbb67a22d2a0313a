"""The command of the web process."""

import logging
import sys
from typing import Annotated

import typer

from settings import Settings
from starter.cli.app import AsJson, app, run
from starter.cli.context import opened
from starter.cli.output import Output
from starter.local.processes import LOOPBACK
from starter.production import check_production
from starter.telemetry import switched_on

PANEL = "Set-up"
PORT = 8000

# Each request that asks the database has a thread and a connection of its own; the others wait.
CONNECTIONS = 20


@app.command(rich_help_panel=PANEL)
def web(
    host: Annotated[
        str, typer.Option(help="Which address to listen on; 0.0.0.0 for all of the machine's.")
    ] = LOOPBACK,
    port: Annotated[int, typer.Option(help="Which port to listen on; 0 for a free one.")] = PORT,
    as_json: AsJson = False,
) -> None:
    """Serve the product over HTTP: pages, the API, webhooks, calls and the script of web sites.

    Runs until SIGTERM or Ctrl-C. Put a proxy that speaks TLS in front of it.
    """
    # Here, so that the other commands need not wait for a web framework.
    from starter.web.app import build_app
    from starter.web.server import listening, serve, url_of

    settings, output = Settings.load(), Output(as_json=as_json)
    telemetry = switched_on(settings, "account-pause-web")
    check_production(settings, logging.getLogger("account_pause.web"))

    async def work() -> None:
        async with opened(
            settings, needs_temporal=False, connections=CONNECTIONS, telemetry=telemetry
        ) as context:
            with listening(host, port) as listener:
                output.result({"url": url_of(listener)})
                output.note(f"Listening at {url_of(listener)}; Ctrl-C stops it.")
                # Whoever reads the document through a pipe waits for it.
                sys.stdout.flush()
                product = build_app(
                    settings,
                    context.systems,
                    context.backend,
                    with_sample_site=settings.is_local,
                    telemetry=telemetry,
                )
                await serve(product, listener, settings.trusted_proxies)

    run(work())
