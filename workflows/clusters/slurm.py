"""Score slides on the nodes of a SLURM cluster: `python workflows/clusters/slurm.py SLIDES --out RESULTS --jobs 8`.

Run it on a login node, in tmux or screen, or as a job of its own: it holds the Dask scheduler and writes the results.
Each job is one worker. Needs `pip install dask-jobqueue`, this environment on the nodes, and the slides under the same
path there. The same command continues after a kill or when the jobs' time was up.
"""

from __future__ import annotations

from pathlib import Path

import click
from dask_jobqueue.slurm import SLURMCluster
from distributed import Client

from wsi_edt.cli.main import run_command
from wsi_edt.cluster.local import shards_each


@click.command()
@click.argument("slides", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The results folder.")
@click.option("--jobs", type=click.IntRange(min=1), default=4, show_default=True, help="Workers, a job each.")
@click.option("--gpu", is_flag=True, help="A GPU for each job.")
@click.option(
    "--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Cores of each job."
)
@click.option("--memory", default="4GB", show_default=True, help="Of each job.")
@click.option("--walltime", default="04:00:00", show_default=True, help="Of each job.")
@click.option("--partition", help="SLURM's partition.")
@click.option("--account", help="SLURM's account.")
@click.option("--interface", help="Network between the login node and the nodes (for example ib0).")
@click.option("--show-job", is_flag=True, help="Print the job's script and end.")
@click.option("--option", "options", multiple=True, help="For wsi-edt run, for example --option=--mpp=0.25.")
def main(
    slides: tuple[str, ...],
    *,
    out: Path,
    jobs: int,
    gpu: bool,
    threads: int,
    memory: str,
    walltime: str,
    partition: str | None,
    account: str | None,
    interface: str | None,
    show_job: bool,
    options: tuple[str, ...],
) -> None:
    """Start the workers as jobs, run on those that SLURM has started, and end them."""
    with SLURMCluster(
        cores=shards_each("cuda" if gpu else "cpu", threads),  # Dask's threads, each with a shard
        processes=1,
        job_cpu=threads,
        memory=memory,
        walltime=walltime,
        queue=partition,
        account=account,
        interface=interface,
        job_extra_directives=["--gres=gpu:1"] if gpu else [],
        job_name="wsi-edt",
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},  # others have 8787
    ) as cluster:
        if show_job:
            click.echo(cluster.job_script())
            return
        # Always so many: a job that ended is submitted again.
        cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)
        click.echo(f"waiting for the first of {jobs} jobs; the scheduler is {cluster.scheduler_address}")
        with Client(cluster) as client:  # type: ignore[no-untyped-call]
            client.wait_for_workers(1)
        command = ["run", *slides, "--out", str(out), "--scheduler", cluster.scheduler_address]
        if not gpu:
            command += ["--threads", str(threads), "--device", "cpu"]
        code = run_command([*command, *options])
    raise SystemExit(code)


if __name__ == "__main__":
    main()
