"""A kernel that computes is use, however long its cell prints nothing."""

from typing import Any

_PERIOD_MS = 30_000


def stay_awake_while_busy(server: Any) -> None:
    """Count a busy kernel as activity of `server`, so that no culler ends a long cell."""
    from tornado.ioloop import PeriodicCallback

    def look() -> None:
        note_activity(server.kernel_manager, server.web_app.settings)

    PeriodicCallback(look, _PERIOD_MS).start()


def note_activity(manager: Any, settings: dict[str, Any]) -> bool:
    """Note the present moment as the last activity if a kernel of `manager` is busy; whether one is."""
    from jupyter_server._tz import utcnow

    kernels = (manager.get_kernel(kernel_id) for kernel_id in manager.list_kernel_ids())
    busy = any(getattr(kernel, "execution_state", "") == "busy" for kernel in kernels)
    if busy:
        settings["api_last_activity"] = utcnow()
    return busy
