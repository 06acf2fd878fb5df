"""A page as a PDF, by WeasyPrint: what a browser prints of it."""

from __future__ import annotations

import logging
from types import ModuleType

from PIL import ImageFile

from wsi_edt.errors import UsageError


def weasyprint_loaded() -> ModuleType:
    """WeasyPrint, without what its import does to Pillow, which would show pictures that were cut short as if whole.

    Raises
    ------
    ImportError, OSError
        If it, or the system's Pango, can't be loaded.
    """
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        import weasyprint
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
    loaded: ModuleType = weasyprint
    return loaded


def refuse_without_weasyprint() -> None:
    """UsageError unless WeasyPrint, and the system's Pango that it draws letters by, can be loaded."""
    try:
        weasyprint_loaded()
    except ImportError as error:
        raise UsageError(
            "--pdf needs the package WeasyPrint", remedy="`pip install 'wsi-edt[pdf]'`"
        ) from error
    except OSError as error:  # it comes without the library
        raise UsageError(
            "--pdf needs Pango, which this system lacks",
            remedy="install it (Debian and Ubuntu: `apt install libpango-1.0-0 libpangoft2-1.0-0`; macOS: `brew install "
            "pango`), or print report.html in a browser",
        ) from error


def pdf_of(page: str) -> bytes:
    """The PDF of a page that holds all that it shows; the same page gives the same bytes.

    Parameters
    ----------
    page : HTML
    """
    weasyprint = weasyprint_loaded()
    logging.getLogger("weasyprint").setLevel(
        logging.CRITICAL
    )  # it tells each rule of CSS that only browsers know
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=["data"])
    pdf: bytes = weasyprint.HTML(string=page, url_fetcher=fetcher).write_pdf()
    return pdf
