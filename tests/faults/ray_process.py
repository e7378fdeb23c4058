"""A bench on Ray in a process of its own: ``ray_process.py FOLDER STORE``.

``RAY_NODES`` says how many machines of one core the cluster has; a line on standard input takes
the last one away, as when its power fails.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from benchmarks.on_ray import on_ray
from benchmarks.runner import run
from tests.runner import material

METHODS = ("zero-shot", "icl-random", "lora", "full")


def main(folder: Path, store: Path) -> None:
    """Run the methods on a cluster that is made for it."""
    import ray
    from ray.cluster_utils import Cluster

    core = {"num_cpus": 1, "memory": 4 * 2**30, "object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**core, "include_dashboard": False})
    others = [cluster.add_node(**core) for _ in range(int(os.environ["RAY_NODES"]) - 1)]
    ray.init(address=cluster.address, log_to_driver=False)

    def take_away() -> None:
        if sys.stdin.readline():
            cluster.remove_node(others[-1], allow_graceful=False)

    threading.Thread(target=take_away, daemon=True).start()
    resolved = material.resolve(material.plan(*METHODS))
    run(resolved, folder, material.means(store, executor=on_ray))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
