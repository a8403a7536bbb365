"""The book of claims as Markdown in two languages, and as one HTML page."""

from slalom.report.claims.book import chapter, markdown, write_book
from slalom.report.claims.page import page

__all__ = ["chapter", "markdown", "page", "write_book"]
