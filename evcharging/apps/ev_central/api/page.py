"""The page at ``/``, its files under ``/static``, the reference at ``/docs``; all from the package itself."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from evcharging.apps.ev_central.api.docs import render

__all__ = ["mount_page"]

PAGE = Path(str(files("evcharging.web") / "page"))
REVALIDATE = {"Cache-Control": "no-cache"}

router = APIRouter(include_in_schema=False)


def mount_page(app: FastAPI) -> None:
    """Serve the page, its files and the reference."""
    app.include_router(router)
    app.mount("/static", _Revalidated(directory=PAGE), name="static")


@router.get("/")
async def page() -> FileResponse:
    """The page."""
    return FileResponse(PAGE / "index.html", headers=REVALIDATE)


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The reference."""
    return HTMLResponse(_rendered(request.app), headers=REVALIDATE)


@cache
def _rendered(app: FastAPI) -> str:
    return render(app.openapi())


class _Revalidated(StaticFiles):
    def file_response(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers.update(REVALIDATE)
        return response
