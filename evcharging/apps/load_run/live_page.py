"""A load run while it runs, in the browser: a page on 127.0.0.1 that shows the report so far, renewed each second.

The page is the report itself; a few lines of script fetch it again. It only looks, and answers to GET alone.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from evcharging.apps.load_run.report_html import body
from evcharging.apps.load_run.report_style import STYLE
from evcharging.apps.load_run.run import LoadRun

__all__ = ["live_page"]

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load run</title><style>{STYLE}</style><script src="/live.js" defer></script></head>
<body><main id="report" aria-live="off"><p>Waiting for figures.</p></main></body></html>
"""
_SCRIPT = """
const report = document.getElementById("report");
async function renew() {
  try {
    const answer = await fetch("/report");
    if (answer.ok) report.innerHTML = await answer.text();
  } catch {
    report.dataset.over = "true";
  }
}
renew();
setInterval(renew, 1000);
"""


def live_page(run: LoadRun) -> Starlette:
    """The application that shows ``run``."""

    async def page(_request: Request) -> Response:
        return HTMLResponse(_PAGE, headers=_HEADERS)

    async def script(_request: Request) -> Response:
        return Response(_SCRIPT, media_type="text/javascript", headers=_HEADERS)

    async def report(_request: Request) -> Response:
        return HTMLResponse(body(run.so_far()), headers=_HEADERS)

    async def figures(_request: Request) -> Response:
        return JSONResponse(run.so_far().as_dict(), headers=_HEADERS)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/live.js", script),
            Route("/report", report),
            Route("/figures.json", figures),
        ]
    )
