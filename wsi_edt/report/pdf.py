"""A page as a PDF, by WeasyPrint: what a browser prints of it."""

from __future__ import annotations

import logging

from wsi_edt.errors import UsageError


def refuse_without_weasyprint() -> None:
    """UsageError unless WeasyPrint, and the system's Pango that it draws letters by, can be loaded."""
    try:
        import weasyprint  # noqa: F401
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
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    logging.getLogger("weasyprint").setLevel(
        logging.CRITICAL
    )  # it tells each rule of CSS that only browsers know
    pdf: bytes = HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=["data"])).write_pdf()
    return pdf
