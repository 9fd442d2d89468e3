"""Work in several processes that gloo joins."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

# imported once, in the process from which all others are forked
WANTED = [
    "torch",
    "torch._dynamo",
    "torch.distributed.checkpoint.state_dict",
    "torch.distributed.fsdp",
    "torch.distributed.tensor.parallel",
    "ogive",
    "ogive.backends.pytorch.module.file",
    "ogive.compiler.driver.workspace",
    "ogive.checkpoints",
]


def enter(rank: int, work: Callable[..., None], environment: dict[str, str], args: tuple[Any, ...]) -> None:
    """What each process does."""
    os.environ.update(environment, RANK=str(rank), LOCAL_RANK=str(rank))
    dist.init_process_group("gloo")
    work(*args)
    leave()


def together(processes: int, work: Callable[..., None], *args: Any, restarts: int = 0) -> None:
    """Run `work(*args)` in each of them; what one raises is raised here, `ProcessExitedException` where one died."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "TORCHELASTIC_RESTART_COUNT": str(restarts),
        "OMP_NUM_THREADS": "1",
    }
    multiprocessing.set_forkserver_preload(WANTED)
    start_processes(enter, (work, environment, args), processes, start_method="forkserver")  # type: ignore[no-untyped-call]


def leave() -> None:
    """End what the processes of a group have in common, without what aborts every tenth of them."""
    dist.barrier()
    dist.destroy_process_group()
    time.sleep(0.1)  # a thread of gloo (torch 2.13) that still lets go of a tensor while Python ends aborts it
