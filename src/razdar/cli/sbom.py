# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar sbom FILE`: what the relay is made of, as a CycloneDX 1.6 bill of materials in JSON.

Made from requirements.lock alone, so it is the same wherever and whenever it is made, and says exactly what an installation may contain:
each package, its version, and the SHA-256 of every file that the installation accepts for it. Packages for other systems are `optional`.
"""

import argparse
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

from razdar import __version__
from razdar.cli.terminal import persian_digits, say
from razdar.environment import CHECKOUT
from razdar.model.trouble import file_not_read, file_not_written

_NAMESPACE = uuid.UUID("6f0f2a0e-7d0f-5d5e-9d62-3c9c3a1f1d52")
_LICENCE = "AGPL-3.0-or-later"


def run(arguments: argparse.Namespace) -> int:
    """The file is there."""
    lock, file = CHECKOUT / "requirements.lock", arguments.FILE.absolute()
    try:
        bill = bill_of_materials(lock.read_text(encoding="utf-8"))
    except OSError as error:
        raise file_not_read(lock, error.strerror or "?") from error
    try:
        file.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise file_not_written(file, error.strerror or "?") from error
    count = len(bill["components"])
    say(f"{persian_digits(str(count))} بسته در فهرست است:", f"The list holds {count} packages:", f"    {file}")
    return 0


def bill_of_materials(lock: str) -> dict[str, Any]:
    """The CycloneDX document of a lock file; equal locks and versions give equal documents."""
    components = sorted(_components(lock), key=lambda each: str(each["name"]))
    relay = {
        "type": "application",
        "bom-ref": f"pkg:generic/razdar@{__version__}",
        "name": "razdar",
        "version": __version__,
        "purl": f"pkg:generic/razdar@{__version__}",
        "licenses": [{"license": {"id": _LICENCE}}],
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{__version__} {lock}')}",
        "version": 1,
        "metadata": {"component": relay},
        "components": components,
        "dependencies": [
            {"ref": relay["bom-ref"], "dependsOn": [each["bom-ref"] for each in components]},
            *({"ref": each["bom-ref"]} for each in components),
        ],
    }


def _components(lock: str) -> Iterator[dict[str, Any]]:
    for part in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]:
        found = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(;[^\\\n]*)?", part)
        if found is None:
            raise ValueError("a line of the lock is not understood")
        name, version, condition = found.groups()
        purl = f"pkg:pypi/{name}@{version}"
        hashes = [{"alg": "SHA-256", "content": digest} for digest in re.findall(r"--hash=sha256:([0-9a-f]{64})", part)]
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "scope": "optional" if _is_for_others(condition or "") else "required",
            "purl": purl,
            "externalReferences": [{"type": "distribution", "url": purl, "hashes": hashes}],
        }


def _is_for_others(condition: str) -> bool:
    """Whether a package is only for systems on which no relay runs."""
    return "win32" in condition or "Windows" in condition
