"""Fetch the programs that these tests need from Debian's packages, without installing them.

    python tests/peers/packages.py FOLDER

unpacks the packages, and those that they need and this system does not have, into FOLDER. Nothing
is installed, so nothing is started and nobody has to be root. A program that is installed is used
as it is. Prints the names of the programs that are still missing, because there is no apt or no
network; why goes to stderr.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

PACKAGES = {
    "nginx": "nginx",
    "squid": "squid",
    "tinyproxy": "tinyproxy-bin",
    "danted": "dante-server",
    "microsocks": "microsocks",
}
"""Programs, and the packages that have them."""

_LIMIT = 120.0
"""Seconds for each command of apt: all of them together take five with a good network."""

_PLACES = ("usr/sbin", "usr/bin", "usr/local/sbin", "usr/local/bin")


def find(name: str, folder: Optional[Path]) -> Optional[str]:
    """Return the path of a program: what the system has, or what was unpacked into the folder."""
    # Users have no `sbin` on their path.
    system = os.pathsep.join([os.environ.get("PATH", ""), *(f"/{place}" for place in _PLACES)])
    unpacked = os.pathsep.join(str(folder / place) for place in _PLACES) if folder else ""
    return shutil.which(name, path=system) or shutil.which(name, path=unpacked)


def fetch(names: "list[str]", folder: Path) -> None:
    """Unpack the packages of these programs into the folder.

    Raises:
        OSError, subprocess.SubprocessError: apt is missing or failed.
    """
    packages = sorted(PACKAGES[name] for name in names)
    for part in ("lists/partial", "archives/partial", "packages"):
        (folder / "apt" / part).mkdir(parents=True, exist_ok=True)
    # The lists of the system may be old or empty, and only root may renew them.
    settings = folder / "apt" / "apt.conf"
    settings.write_text(
        f'Dir::State "{folder / "apt"}";\n'
        'Dir::State::status "/var/lib/dpkg/status";\n'
        f'Dir::Cache "{folder / "apt"}";\n'
        "Acquire::Retries 2;\n"
        'APT::Sandbox::User "";\n'
        "Acquire::http::Timeout 20;\n",
        "utf-8",
    )
    run = _Apt(settings, folder / "apt" / "packages")
    run("apt-get", "-qq", "update")
    plan = run("apt-get", "-s", "install", "-y", "--no-install-recommends", *packages)
    needed = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    run("apt-get", "-qq", "download", *needed)
    for package in sorted((folder / "apt" / "packages").glob("*.deb")):
        run("dpkg-deb", "-x", str(package), str(folder))


class _Apt:
    """Runs commands of apt with settings and a working directory."""

    def __init__(self, settings: Path, folder: Path) -> None:
        self._environment = {**os.environ, "APT_CONFIG": str(settings), "LC_ALL": "C"}
        self._folder = folder

    def __call__(self, *command: str) -> str:
        done = subprocess.run(
            command,
            check=True,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_LIMIT,
        )
        return done.stdout


def missing(folder: Path) -> "list[str]":
    """Return the names of the programs that are neither installed nor in the folder."""
    return [name for name in PACKAGES if find(name, folder) is None]


def main(folder: Path) -> None:
    """Fetch what is missing, and print the names of what still is."""
    wanted = missing(folder)
    try:
        if wanted:
            fetch(wanted, folder)
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"cannot fetch {', '.join(wanted)}: {error}\n")
    sys.stdout.write(f"{' '.join(missing(folder))}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
