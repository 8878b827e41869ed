from pathlib import Path

import pytest

from freqgan.diagnosis.cgroup import Limits, limits

GIB = 2**30


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


def test_without_control_groups_there_are_no_limits(tmp_path: Path) -> None:
    assert limits(tmp_path) == Limits()


def test_version_2_takes_the_narrowest_of_all_levels(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/jobs/one",
        "sys/fs/cgroup/jobs/one/cpu.max": "max 100000",
        "sys/fs/cgroup/jobs/cpu.max": "150000 100000",
        "sys/fs/cgroup/jobs/one/memory.max": str(4 * GIB),
        "sys/fs/cgroup/jobs/memory.max": str(2 * GIB),
        "sys/fs/cgroup/jobs/memory.current": str(GIB),
        "sys/fs/cgroup/jobs/memory.stat": f"anon 5\ninactive_file {GIB // 4}",
    }
    assert limits(tree(tmp_path, files)) == Limits(1.5, 2 * GIB, GIB - GIB // 4)


@pytest.mark.parametrize("controller", ["cpu", "cpu,cpuacct"])
def test_version_1_has_a_tree_for_each_resource(tmp_path: Path, controller: str) -> None:
    files = {
        "proc/self/cgroup": f"3:{controller}:/box\n2:memory:/box\n1:name=systemd:/\n0::/",
        "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "50000",
        "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/memory/box/memory.limit_in_bytes": str(3 * GIB),
        "sys/fs/cgroup/memory/box/memory.usage_in_bytes": str(2 * GIB),
        "sys/fs/cgroup/memory/box/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
    }
    assert limits(tree(tmp_path, files)) == Limits(0.5, 3 * GIB, GIB)


def test_inside_a_container_the_path_of_the_host_is_the_root_of_the_tree(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/system.slice/docker-0123.scope",
        "sys/fs/cgroup/cpu.max": "200000 100000",
        "sys/fs/cgroup/memory.max": "max",
    }
    assert limits(tree(tmp_path, files)) == Limits(2.0)
