"""What the daemon needs on the machine: Java, the KCL's jars, their Python side."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.errors import PermanentError

PACKAGE: Final = "amazon_kclpy"
JAVA_LEAST: Final = 8
INSTALL_JAVA: Final = (
    "install a Java runtime, 17 or newer (Debian: apt install openjdk-17-jre-headless; "
    "Amazon Linux: dnf install java-17-amazon-corretto-headless), or set JAVA_HOME"
)
INSTALL_KCL: Final = "pip install 'mailtumble[kcl]'"
MAIN_CLASS: Final = "software.amazon.kinesis.multilang.MultiLangDaemon"
LOGBACK: Final = Path(__file__).with_name("logback.xml")
VERSION_WITHIN_S: Final = 30


class Missing(PermanentError):  # noqa: N818 - what was found
    """Something has to be installed; the text says what."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where Java and the jars are."""

    java: Path
    jars: tuple[Path, ...]


def find_java(environment: Mapping[str, str] = os.environ) -> Path:
    """The ``java`` of JAVA_HOME, else that of PATH.

    Raises:
        Missing: there is none.
    """
    home = environment.get("JAVA_HOME")
    if home:
        java = Path(home) / "bin" / "java"
        if not os.access(java, os.X_OK):
            raise Missing(f"JAVA_HOME is {home}, where there is no bin/java: {INSTALL_JAVA}")
        return java
    found = shutil.which("java", path=environment.get("PATH"))
    if found is None:
        raise Missing(f"there is no java, and the KCL is written in Java: {INSTALL_JAVA}")
    return Path(found)


def version_of(java: Path) -> str:
    """What ``java -version`` says.

    Raises:
        Missing: it does not run, or is too old for the KCL.
    """
    try:
        said = subprocess.run(  # noqa: S603 - the user's own java
            [str(java), "-version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=VERSION_WITHIN_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"{java} does not run ({error}): {INSTALL_JAVA}") from error
    match = re.search(r'version "((?:1\.)?(\d+)[^"]*)"', said.stderr + said.stdout)
    if match is None or int(match[2]) < JAVA_LEAST:
        raise Missing(f"{java} is not Java {JAVA_LEAST} or newer: {INSTALL_JAVA}")
    return match[1]


def find_jars() -> tuple[Path, ...]:
    """The KCL's jars, out of the package.

    Raises:
        Missing: the extra ``kcl`` is not installed, or brought no jars.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise Missing(f"the Python side of the KCL, {PACKAGE}, is not installed: {INSTALL_KCL}")
    folder = Path(spec.origin).parent / "jars"
    jars = tuple(sorted(folder.glob("*.jar")))
    if not any(jar.name.startswith("amazon-kinesis-client-multilang-") for jar in jars):
        raise Missing(f"the KCL's jars are not in {folder}: {INSTALL_KCL}")
    return jars


def installation(environment: Mapping[str, str] = os.environ) -> Installation:
    """All of it.

    Raises:
        Missing: the first of it that is missing.
    """
    jars = find_jars()
    return Installation(find_java(environment), jars)


def command(found: Installation, *, properties: Path, heap_mb: int, cbor: bool) -> list[str]:
    """The daemon's command line. ``heap_mb`` is Java's heap; the process takes some 200 MB more.

    ``cbor`` off: for emulators that read JSON only.
    """
    return [
        str(found.java),
        f"-Xmx{heap_mb}m",
        # One core's worth of work: the serial collector and the first compiler start
        # quickest, and take the least memory beside the heap.
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:MaxMetaspaceSize=128m",
        "-XX:ReservedCodeCacheSize=48m",
        "-XX:MaxDirectMemorySize=64m",
        # Out of memory, it is to end and be started again, not to limp on.
        "-XX:+ExitOnOutOfMemoryError",
        # What the children speak.
        "-Dfile.encoding=UTF-8",
        *(() if cbor else ("-Daws.cborEnabled=false",)),
        "-cp",
        os.pathsep.join(str(jar) for jar in found.jars),
        MAIN_CLASS,
        "--properties-file",
        str(properties),
        "--log-configuration",
        str(LOGBACK),
    ]
