"""What handlers of the addresses below `skiva/` have in common."""

import json
from typing import Any

from jupyter_server.base.handlers import APIHandler

from .problems import Problem

__all__ = ["AnsweringHandler"]


class AnsweringHandler(APIHandler):
    """Login, authorization and the form of errors, the same for all of them."""

    auth_resource = "skiva"
    # A panel that looks at runs or clusters must not keep an idle server alive.
    _track_activity = False

    def tell(self, answer: Any, status: int = 200) -> None:
        """Answer with JSON that no cache keeps."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(answer, allow_nan=False))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with one sentence."""
        problem = kwargs.get("exc_info", (None, None))[1]
        if isinstance(problem, Problem):
            self.tell({"message": str(problem)}, problem.status)
            return
        super().write_error(status_code, **kwargs)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A refusal is no fault of this server's."""
        if not isinstance(value, Problem):
            super().log_exception(typ, value, tb)

    def whole(self, name: str, default: int | None, least: int, most: int) -> int | None:
        """A whole number in the address. Raises Problem."""
        text = self.get_query_argument(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit()) or len(text) > 18 or not least <= int(text) <= most:
            raise Problem(400, f"{name}: must be a whole number from {least} to {most}.")
        return int(text)
