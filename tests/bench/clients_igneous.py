"""What igneous runs, in its own environment; see `tests.bench.player`. Only the peer and numpy are imported here."""

import contextlib
import multiprocessing


@contextlib.contextmanager
def meshes(volume, folder, shape, levels, processes):
    """`igneous mesh forge --sharded`, then `igneous mesh merge-sharded`, with their defaults, in children of this one.

    Args:
        volume: the address of a precomputed volume; meshes go beside it.
        folder: the name of the folder that gets them; a number is added for each run.
        shape: voxels of a task on each axis.
        levels: of detail, beside the finest.
        processes: how many work at a time.
    """
    import igneous.task_creation as tasks
    from taskqueue import LocalTaskQueue

    multiprocessing.set_start_method("fork", force=True)
    count = 0

    def work(made):
        with LocalTaskQueue(parallel=processes, progress=False) as queue:
            queue.insert_all(made)

    def run():
        nonlocal count
        count += 1
        name = f"{folder}{count}"
        _name_meshes(volume, name)
        work(tasks.create_meshing_tasks(volume, 0, (shape,) * 3, mesh_dir=name, sharded=True, progress=False))
        work(
            tasks.create_sharded_multires_mesh_tasks(
                volume, num_lod=levels, mesh_dir=name, max_labels_per_shard=1000, progress=False
            )
        )
        return [count]

    yield run


def _name_meshes(volume, name):
    """Let the volume name a folder of meshes: igneous writes to the one that is named."""
    from cloudvolume import CloudVolume

    opened = CloudVolume(volume, progress=False)
    opened.info["mesh"] = name
    opened.commit_info()
