"""What the form may offer. Jobs are executed by Slurm, never by the server."""

from jupyter_scheduler.executors import ExecutionManager
from jupyter_scheduler.models import JobFeature

__all__ = ["SlurmFeatures"]

_OFFERED = {
    JobFeature.job_name,
    JobFeature.parameters,
    JobFeature.output_formats,
    JobFeature.job_definition,
    JobFeature.idempotency_token,
    JobFeature.tags,
    JobFeature.stop_job,
    JobFeature.delete_job,
}


class SlurmFeatures(ExecutionManager):
    """Names features; jupyter-scheduler asks the class that would execute jobs for them."""

    def execute(self) -> None:
        """Nothing is executed here."""
        raise NotImplementedError("Slurm executes jobs")

    @classmethod
    def supported_features(cls, *_: object) -> dict[JobFeature, bool]:
        """Which of them there are."""
        return {feature: feature in _OFFERED for feature in JobFeature}
