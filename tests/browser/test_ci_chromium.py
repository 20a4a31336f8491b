"""`.ci/chromium` installs a browser where that needs no password, and otherwise says why not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci/chromium"
NEEDED = ("bash", "env", "timeout", "mktemp", "tail", "rm", "chmod")
Ran = tuple[int, str, list[str]]

pytestmark = pytest.mark.skipif(
    not SCRIPT.exists() or any(shutil.which(name) is None for name in NEEDED),
    reason="needs a checkout and bash",
)


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Ran]:
    """machine(name=script, ...) runs it where these are all programs: status, errors, what was called."""
    programs, log = tmp_path / "bin", tmp_path / "log"
    programs.mkdir()
    for name in NEEDED:
        (programs / name).symlink_to(shutil.which(name) or "")

    def run(**scripts: str) -> Ran:
        for name, script in scripts.items():
            file = programs / name.replace("_", "-")
            file.write_text(f'#!/bin/sh\necho "${{0##*/}} $@" >> {log}\n{script}\n', encoding="utf-8")
            file.chmod(0o755)
        done = subprocess.run(
            [programs / "bash", SCRIPT],
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr, log.read_text(encoding="utf-8").splitlines()

    return run


MAKE = '[ "$1" = update ] || { echo "echo Chromium 1" > "${0%/*}/chromium"; chmod +x "${0%/*}/chromium"; }'


def test_a_browser_that_starts_is_left_as_it_is(machine) -> None:
    status, errors, called = machine(google_chrome="echo Chrome 1", apt_get=MAKE, id="echo 0")
    assert (status, errors, called) == (0, "", ["google-chrome --version"])


def test_it_is_installed_by_root_and_by_who_needs_no_password(machine) -> None:
    status, errors, called = machine(chromium="exit 1", apt_get=MAKE, id="echo 0")  # an empty shell
    assert (status, errors) == (0, "")
    assert called[-1] == "apt-get install --yes --no-install-recommends chromium"
    status, errors, called = machine(
        chromium="exit 1", id="echo 1000", sudo='shift; [ "$1" = true ] || "$@"', apt_get=MAKE
    )
    assert (status, errors) == (0, "")
    assert "sudo -n true" in called


def test_who_may_not_install_is_told_how(machine) -> None:
    status, errors, called = machine(id="echo 1000", sudo="exit 1", apt_get=MAKE)
    assert status == 1
    assert errors == (
        "Chromium is not installed, and installing it needs a password: sudo apt-get install chromium\n"
    )
    assert not any(line.startswith("apt-get") for line in called)


def test_a_machine_without_network_or_package_manager_is_told(machine) -> None:
    status, errors, _ = machine(id="echo 0")
    assert (status, errors) == (1, "Chromium is not installed, and there is no apt-get, dnf or apk\n")
    status, errors, _ = machine(id="echo 0", dnf="echo no network; exit 7")
    assert (status, errors) == (1, "dnf install --assumeyes chromium failed:\nno network\n")
    status, errors, _ = machine(id="echo 0", dnf="exit 0")  # which is said to have worked
    assert (status, errors) == (1, "the Chromium that was installed does not start\n")
