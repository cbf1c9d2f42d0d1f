"""packaging/docker/compose.yaml fits the image that it builds."""

import re
from pathlib import Path

import yaml

DOCKER = Path(__file__).parents[3] / "packaging/docker"


def test_what_the_image_s_user_writes_is_mounted_for_it() -> None:
    """Each directory that the Dockerfile makes for it is a volume or a tmpfs of its own; the root is read-only."""
    image = (DOCKER / "Dockerfile").read_text()
    service = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["crewd"]
    user = re.findall(r"^ARG UID=(\d+)$", image, re.MULTILINE)[0]
    owned = re.findall(r"&& chown \$\{UID\}:\$\{UID\} (.*?) *\\$", image, re.MULTILINE)[0].split()
    volumes = [volume.split(":")[1] for volume in service["volumes"]]
    mounts = dict(mount.partition(":")[::2] for mount in service["tmpfs"] if mount != "/tmp")

    assert service["read_only"]
    assert sorted([*volumes, *mounts]) == sorted([*owned, "/etc/crewd/crewd.yaml"])
    assert set(mounts.values()) == {f"uid={user},gid={user},mode=0750"}
