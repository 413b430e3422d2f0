"""An environment as a single file: squashfs, which many nodes read over a shared file system as one file."""

from pathlib import Path

from skiva_images.describe import now
from skiva_images.errors import BuildError
from skiva_images.fuse import open_fuse
from skiva_images.record import FILE, ImageRecord, load_record
from skiva_images.rootfs import missing_tools, run
from skiva_images.say import Say

__all__ = ["build_sif"]

_BLOCK = "128K"
_LEVEL = 3


def build_sif(bundle: Path, target: Path, say: Say, *, level: int = _LEVEL) -> ImageRecord:
    """Pack the unpacked image of `bundle` (an OCI build) into the new file `target`, its record beside it.

    Args:
        level: zstd's, 1 (quick) to 22 (small).

    Raises:
        BuildError: with one sentence for whoever builds.
    """
    missing_tools({"mksquashfs": "squashfs-tools"})
    rootfs = bundle / "rootfs"
    if not rootfs.is_dir():
        raise BuildError(f"{bundle} is not an OCI build: it has no folder rootfs.")
    open_fuse(say)
    log = target.with_name(f"{target.name}.log")
    argv = ["mksquashfs", str(rootfs), str(target), "-noappend", "-no-progress", "-no-xattrs", "-quiet"]
    argv += ["-comp", "zstd", "-Xcompression-level", str(level), "-b", _BLOCK, "-e", "dev", "proc", "sys"]
    # All belongs to root, and what root alone may read is not for a file that everybody reads.
    argv += ["-all-root"]
    run(argv, log=log, what="Packing the image")
    target.chmod(0o444)
    record = load_record(bundle / FILE)
    record = record.model_copy(update={"form": "sif", "size": target.stat().st_size, "built": now()})
    target.with_name(f"{target.name}.json").write_text(record.text())
    log.unlink()
    return record
