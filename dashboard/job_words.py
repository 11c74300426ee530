"""What a job is, how far it is and how it ended, in words."""

import time
from collections.abc import Mapping
from pathlib import Path

from core import clustering, report, ways
from core.config import AutoencoderConfig, FeaturesConfig, clusters_of, to_json
from core.duplicates import DuplicateConfig
from core.evidence import SuspectConfig
from core.images import (
    ArchiveSource,
    ArraySource,
    FolderSource,
    JoinedSource,
    LabelledSource,
    SampleSource,
    ShardedSource,
    Source,
    SubsetSource,
)
from core.jobs import Job
from core.neighbours import GraphConfig
from core.plans import Plan, TrainedClassifier, TrainSpec
from core.spreading import SpreadConfig
from core.sweep import SweepConfig
from dashboard.texts import duration

MOST_SETTINGS = 6
STAGES = {"images": "Reading images", "model": "Training", "latents": "Encoding", "reduced": "Reduction"}
ANALYSES = {
    GraphConfig: "Nearest neighbours",
    SweepConfig: "Trying numbers of clusters",
    SuspectConfig: "Suspects",
    DuplicateConfig: "Duplicates",
    SpreadConfig: "Spreading labels",
}


def title(job: Job) -> str:
    """Name what a job makes: "Training", "t-SNE map", "Trying numbers of clusters"."""
    plan = job.plan
    if not isinstance(job.upto, str):
        return ANALYSES.get(type(job.upto), type(job.upto).__name__)
    if job.upto == "projection":
        dims = " in 3-D" if plan.projection.n_components == 3 else ""
        return f"{report.title_of(plan.projection)} map{dims}"
    if job.upto == "manifold":
        return ways.title_of(plan.cluster.manifold)
    if job.upto == "clustering":
        return f"Vote of {len(plan.others) + 1} runs" if plan.others else clustering.title_of(plan.cluster.method)
    if job.upto == "latents" and isinstance(plan.model, TrainedClassifier):
        return "Classifying"
    if (
        job.upto == "model"
        and isinstance(plan.model, TrainSpec)
        and isinstance(plan.model.autoencoder, FeaturesConfig)
    ):
        return "Pretrained features"
    return STAGES[job.upto]


def images(source: Source) -> str:
    """Name a set of images: the file, folder or data set."""
    if isinstance(source, SubsetSource):
        some = [", ".join(source.classes)] if source.classes else []
        some += [f"at most {source.limit:,}"] if source.limit is not None else []
        return f"{images(source.source)} ({'; '.join(some)})" if some else images(source.source)
    if isinstance(source, LabelledSource):
        return images(source.source)
    if isinstance(source, JoinedSource):
        return images(source.sources[0])
    if isinstance(source, SampleSource):
        return source.name
    if isinstance(source, ArchiveSource | FolderSource | ArraySource | ShardedSource):
        return Path(source.path).name or source.path
    return f"{source.dataset} ({'training' if source.train else 'test'} part)"


def settings(job: Job) -> str:
    """Write the main settings of what a job makes in one line, or ""."""
    chosen = list(_settings(job.plan, job).items())[:MOST_SETTINGS]
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in chosen)


def _settings(plan: Plan, job: Job) -> Mapping[str, object]:
    if job.upto == "model" and isinstance(plan.model, TrainSpec):
        training, network = plan.model.training, plan.model.autoencoder
        found = {
            "epochs": training.epochs,
            "batch_size": training.batch_size,
            "learning_rate": training.learning_rate,
        }
        own = {"latent_size": network.latent_size} if isinstance(network, AutoencoderConfig) else {}
        return {**own, **found, "seed": training.seed}
    if job.upto == "projection":
        return _plain(to_json(plan.projection), ("perplexity", "n_neighbors", "min_dist", "n_iter", "sample", "seed"))
    if job.upto == "manifold":
        return _plain(to_json(plan.cluster.manifold), ("n_neighbors", "min_dist", "sample", "seed"))
    if job.upto == "clustering" or isinstance(job.upto, SweepConfig):
        method = job.upto.method if isinstance(job.upto, SweepConfig) else plan.cluster.method
        k: object = (
            f"{job.upto.ks[0]} to {job.upto.ks[-1]}" if isinstance(job.upto, SweepConfig) else clusters_of(method)
        )
        return {**({} if k is None else {"k": k}), "on": plan.cluster.on}
    return {}


def _plain(values: Mapping[str, object], names: tuple[str, ...]) -> Mapping[str, object]:
    return {name: values[name] for name in names if values.get(name) is not None}


def progress(job: Job) -> str:
    """Say how far an active job is, with the time left where that is known."""
    if job.state == "waiting":
        return "Waiting for another training to end…" if job.trains else "Waiting for another job to end…"
    if job.stopping:
        return "Stopping, and keeping what there is…" if job.stopping == "keeping" else "Stopping…"
    now = job.progress
    if now is None:
        return "Starting…"
    left = "" if now.seconds_left is None or now.done >= now.total else f" – about {duration(now.seconds_left)} left"
    return f"{now.stage}: {now.counted}{left}" if now.total or now.done else f"{now.stage}…"


def brief(job: Job) -> str:
    """Say how far a running job is in a few words: "Training 40 %, about 3 min left"."""
    now = job.progress
    if now is None or not now.total:
        return title(job)
    left = "" if now.seconds_left is None or now.done >= now.total else f", about {duration(now.seconds_left)} left"
    return f"{now.stage} {100 * now.fraction:.0f} %{left}"


def times(job: Job) -> str:
    """Say when a job started and how long it has taken; one that never ran says nothing."""
    if job.started_at is None:
        return ""
    started = clock(job.started_at)
    how = "running for" if job.active else "took"
    return f"started {started}, {how} {duration(job.seconds)}"


def clock(at: float) -> str:
    """Write a date in seconds since 1970 as the time of day here, with the day unless that is today."""
    then, today = time.localtime(at), time.localtime()
    return time.strftime("%H:%M:%S" if then[:3] == today[:3] else "%d %b %H:%M:%S", then)


def place(ahead: int) -> str:
    """Say where in the queue a job waits, with so many ahead of it."""
    return "next to start" if ahead == 0 else f"{ahead} {'job' if ahead == 1 else 'jobs'} before it"
