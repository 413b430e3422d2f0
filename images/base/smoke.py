"""Does what a first minute in this environment needs: the server's parts import, and a kernel runs a cell."""

import importlib

from jupyter_client.manager import start_new_kernel

PARTS = (
    "jupyterlab.labapp",
    "jupyter_server.serverapp",
    "jupyter_server_proxy",
    "skiva.session",
    "skiva_slurm",
)


def main() -> None:
    """Import the parts, run a cell."""
    for part in PARTS:
        importlib.import_module(part)
    manager, client = start_new_kernel(startup_timeout=60)
    try:
        reply = client.execute_interactive("assert 6 * 7 == 42", timeout=60, store_history=False)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise SystemExit(f"A kernel cannot run a cell: {reply['content'].get('evalue', reply)}")


if __name__ == "__main__":
    main()
