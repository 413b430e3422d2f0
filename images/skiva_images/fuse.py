"""/dev/fuse, through which accounts without rights open an image that is one file."""

import os
import stat
from pathlib import Path

from skiva_images.say import Say

__all__ = ["open_fuse"]

_FUSE = Path("/dev/fuse")


def open_fuse(say: Say, device: Path = _FUSE) -> None:
    """Give the device the mode that udev gives it, 0666, where this is root and nobody has done so.

    Some virtual machines and containers have no udev. Where it cannot be done, an image file is told to be
    closed when somebody enters it.
    """
    try:
        mode = stat.S_IMODE(device.stat().st_mode)
        if os.geteuid() == 0 and mode & 0o666 != 0o666:
            device.chmod(0o666)
            say(f"{device} is open to all accounts now, as it is where udev runs: image files need it.")
    except OSError:
        return
