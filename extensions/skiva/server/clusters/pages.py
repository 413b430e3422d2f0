"""Which of a scheduler's addresses are Dask's pages, and how they are called here. Pure."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

__all__ = ["PASSED_BACK", "PASSED_ON", "location", "page_of", "passed", "query_of"]

PASSED_ON = ("Accept", "If-None-Match", "If-Modified-Since")
"""What a page is asked with; never cookies, tokens or whatever else belongs to the session."""
PASSED_BACK = ("Content-Type", "Cache-Control", "Etag", "Expires", "Last-Modified")
_NOT_PAGES = frozenset({"skiva", "proxy", "jupyter", "api"})
"""What a scheduler answers besides its pages: ways to change it, and to reach others."""
_OURS = frozenset({"token", "_xsrf"})
"""What is said to the Jupyter server in an address."""
_PLAIN = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


def page_of(path: str) -> str | None:
    """The page that a request's path, as it came, names below `dashboard/`; None where that is none."""
    _, _, below = path.partition("/skiva/clusters/")
    _, _, page = below.partition("/dashboard/")
    parts = [unquote(part) for part in page.split("/")]
    if not _PLAIN.fullmatch(page) or len(page) > 2000 or parts[0].lower() in _NOT_PAGES:
        return None
    # A task's or a worker's name is one part, whatever signs it has.
    leaves = any(not part or {".", ".."} & set(part.split("/")) or not part.isprintable() for part in parts)
    return None if leaves else page


def query_of(query: str) -> str:
    """What of a query is for the page, with the question mark; empty where nothing is."""
    values = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in _OURS]
    return f"?{urlencode(values)}" if values else ""


def location(told: str, scheduler: str, prefix: str) -> str:
    """Where a page that has moved is now, below `prefix`; the first page where it leaves the dashboard.

    Args:
        told: by the scheduler, any of whose addresses is `scheduler`.
    """
    aim, own = urlsplit(told), urlsplit(scheduler)
    if aim.netloc and aim.netloc != own.netloc:
        return f"{prefix}status"
    if not aim.path.startswith("/"):
        return told  # browsers know from where
    return f"{prefix}{aim.path.lstrip('/')}" + (f"?{aim.query}" if aim.query else "")


def passed(names: tuple[str, ...], headers: Mapping[str, str]) -> dict[str, str]:
    """Of headers those with these names."""
    return {name: headers[name] for name in names if name in headers}
