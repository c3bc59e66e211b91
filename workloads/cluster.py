"""Work handed to a dask cluster (dask.distributed): one on this machine, started for it, or one that runs already.

Its workers do one thing at a time for each of their threads, so that the threads are what is counted. Work goes out as
futures that are not pure: dask would answer a second round out of its memory.

Imports are where they are used: the spawned workers of other variants import this module too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from workloads.model import CannotRun, How, Needs

if TYPE_CHECKING:
    from distributed import Client

NEEDS = Needs("distributed", "dask.distributed: install the extra `dask`")
CONNECT_LIMIT_S = 5.0
LOOPBACK = "127.0.0.1"

Map = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]
"""``map(function, items)`` gives the results, in the order of the items, once all are there."""


class ClusterError(Exception):
    """A cluster can't be used; the message says what is wrong with which, and what to do."""


@contextmanager
def mapping(how: How) -> Iterator[Map]:
    """A map over the workers of a cluster, as many as `how` says.

    A worker that is lost takes no answer with it: dask has its tasks done by another. Raises `CannotRun` where the
    workers of a cluster that runs already don't come to that number.
    """
    with ExitStack() as stack:
        client = stack.enter_context(_client(how.scheduler or stack.enter_context(_local(how.workers))))
        wanted: dict[str, object] = {}
        if how.scheduler is not None:
            # others where none of these is left
            wanted = {"workers": chosen(_threads(client), how.workers), "allow_other_workers": True}

        def run(function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
            results: list[Any] = client.gather(client.map(function, list(items), pure=False, **wanted))
            return results

        yield run


def chosen(threads: Mapping[str, int], count: int) -> list[str]:
    """Workers whose threads add up to `count`, of these: address -> threads. Raises `CannotRun` where none do."""
    found, left = [], count
    for address in sorted(threads, key=lambda address: (-threads[address], address)):
        if threads[address] <= left:
            found.append(address)
            left -= threads[address]
    if left:
        counts = ", ".join(map(str, threads.values()))
        raise CannotRun(f"no {count} of the cluster's workers ({counts} threads): start more, or choose with --workers")
    return found


def check(scheduler: str, *, here: bool) -> None:
    """Raise `ClusterError` unless a cluster is running whose workers can do this suite's work.

    here  its workers must be on this machine, for what they ask is answered on loopback
    """
    import asyncio
    import socket
    from urllib.parse import urlsplit

    place = urlsplit(scheduler)
    if here and not _is_loopback(str(place.hostname)):
        raise ClusterError(
            f"the scheduler at {scheduler} is not on loopback, and a replay lets nothing go past that: start one here "
            f"with `PYTHONPATH=. dask scheduler --host {LOOPBACK}`, or ask the live sites with --http=live"
        )
    try:
        socket.create_connection((str(place.hostname), int(place.port or 0)), CONNECT_LIMIT_S).close()
        asyncio.run(_identity(scheduler))
        with _client(scheduler) as client:
            threads, failed = _threads(client), client.run(_importing())
            # it reads what is to be done before the workers do
            unread = client.run_on_scheduler(_importing())
    except OSError as error:
        raise ClusterError(
            f"no dask scheduler answers at {scheduler}: {error}. Start one (`PYTHONPATH=. dask scheduler --host "
            f"{place.hostname} --port {place.port}`) and workers (`PYTHONPATH=. dask worker {scheduler} --nthreads 1`) "
            "too, or leave --dask out for a cluster of the suite's own."
        ) from error
    if not threads:
        raise ClusterError(
            f"the cluster at {scheduler} has no workers. Start one: `PYTHONPATH=. dask worker {scheduler} --nthreads 1`"
        )
    places = {f"the scheduler at {scheduler}": unread}
    places |= {f"the worker at {worker}": failure for worker, failure in failed.items()}
    for name, failure in places.items():
        if failure is not None:
            raise ClusterError(
                f"{name} can't import the suite's work ({failure}): start it in an environment "
                "that has the suite's requirements, with PYTHONPATH set to the suite's directory"
            )
    far = [worker for worker in threads if not _is_here(str(urlsplit(worker).hostname))]
    if here and far:
        raise ClusterError(
            f"the worker at {far[0]} is on another machine, and the replay answers on this one only: start the workers "
            "here, or ask the live sites with --http=live"
        )


async def _identity(scheduler: str) -> None:
    """Raise `OSError` unless a scheduler says who it is: a client would wait for ever for what only listens."""
    import asyncio

    from distributed.core import rpc

    async with rpc(scheduler) as remote:
        try:
            await asyncio.wait_for(remote.identity(), CONNECT_LIMIT_S)
        except TimeoutError as error:
            raise TimeoutError(f"what listens there did not say in {CONNECT_LIMIT_S:g} s who it is") from error
        except (MemoryError, ValueError, EOFError) as error:  # dask takes the first bytes of any answer for a length
            raise ConnectionError("what listens there does not speak as a scheduler does") from error


def _importing() -> Callable[[], str | None]:
    def failure() -> str | None:  # not to be found by its name, so that its code is sent: a worker may lack this module
        import importlib

        try:
            importlib.import_module("workloads.catalog")
        except ImportError as error:
            return str(error)
        return None

    return failure


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_here(host: str) -> bool:
    """Whether an address is one of this machine's."""
    import socket

    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _threads(client: Client) -> dict[str, int]:
    return dict(client.nthreads())


def _client(scheduler: str) -> Client:
    from distributed import Client

    return Client(scheduler, timeout=CONNECT_LIMIT_S, set_as_default=False)


@contextmanager
def _local(workers: int) -> Iterator[str]:
    """The address of a scheduler on loopback, with its workers: processes of one thread each."""
    import logging
    import tempfile

    import dask
    from distributed import LocalCluster

    with (
        tempfile.TemporaryDirectory(prefix="dask-") as directory,
        dask.config.set({"temporary-directory": directory}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host=LOOPBACK,
            dashboard_address=None,
            # its server starts all the same, and warns where another cluster has the usual port
            scheduler_kwargs={"dashboard_address": f"{LOOPBACK}:0"},
            worker_dashboard_address=None,
            silence_logs=logging.ERROR,
        ) as started,
    ):
        yield started.scheduler_address
