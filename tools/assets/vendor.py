"""Fetch the page assets that are kept in the repository, byte for byte the pinned releases.

Run by a maintainer (``make assets``) when a pin below moves; nobody else needs Node or the network:
the results are committed under ``src/circular/counter/static/circular/``. Each package comes from the
npm registry through its own client, and is refused when its SHA-512 is not the one written here.

Needs: ``npm`` on the path.
Sources: https://tabler.io (MIT), https://htmx.org (0BSD), https://rsms.me/inter (OFL-1.1).
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src/circular/counter/static/circular"
ICONS = Path(__file__).with_name("icons.txt")


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of the registry, exactly."""

    name: str
    version: str
    sha512: str


TABLER = Pin(
    "@tabler/core",
    "1.6.1",
    "lgmR9gcxRp5JlLxcmRi9Rz85JrEvH6Bz71KnlcPVSa97wtwQNjgSs3g3fxwbAlulHyRMghhIV04QUuW3pqDsIg==",
)
HTMX = Pin(
    "htmx.org",
    "2.0.11",
    "Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
)
GLYPHS = Pin(
    "@tabler/icons",
    "3.51.0",
    "0pinvPZz7YeX+OSfxuEAbnEPWbocVXW5iU8h5lh41pYG8sZuQfpWECC980lxOT0clGIcNGn8xsBr+zKaRGdA/g==",
)
INTER = Pin(
    "@fontsource-variable/inter",
    "5.3.0",
    "OupL48va4JNofb97w6NYeF9S7W/kHNKM0Er8Dem5nqi4jeOLrVJDoE8tZEpnMJmtkvNbB1EIPPwHcdkF6b1oUA==",
)


def main() -> int:
    """Write every asset anew; a second run changes nothing."""
    vendor = STATIC / "vendor"
    vendor.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        css = member(work, TABLER, "package/dist/css/tabler.min.css").decode()
        # The map is not kept, and a browser's tools would ask for it on every page.
        css = re.sub(r"/\*# sourceMappingURL=.*?\*/", "", css).rstrip() + "\n"
        write(vendor / "tabler.min.css", css.encode())
        write(vendor / "htmx.min.js", member(work, HTMX, "package/dist/htmx.min.js"))
        write(vendor / "htmx.LICENSE.txt", member(work, HTMX, "package/LICENSE"))
        for subset in ("latin", "latin-ext"):
            font = member(work, INTER, f"package/files/inter-{subset}-wght-normal.woff2")
            write(vendor / f"inter-{subset}.woff2", font)
        write(vendor / "inter.LICENSE.txt", member(work, INTER, "package/LICENSE"))
        write(vendor / "tabler.LICENSE.txt", member(work, GLYPHS, "package/LICENSE"))
        nodes = json.loads(member(work, GLYPHS, "package/tabler-nodes-outline.json"))
        write(STATIC / "icons.svg", sprite(nodes, ICONS.read_text().split()).encode())
    return 0


def member(work: Path, pin: Pin, name: str) -> bytes:
    """Return one file of the pinned package.

    Raises:  SystemExit when the registry's archive is not the one that was pinned.
    """
    archive = work / f"{pin.name.strip('@').replace('/', '-')}-{pin.version}.tgz"
    if not archive.exists():
        subprocess.run(
            ["npm", "pack", "--silent", f"{pin.name}@{pin.version}"],
            cwd=work,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != pin.sha512:
        sys.exit(f"{pin.name} {pin.version}: expected sha512 {pin.sha512}, found {found}")
    with tarfile.open(archive) as bundle:
        opened = bundle.extractfile(name)
        if opened is None:
            sys.exit(f"{pin.name} {pin.version}: no {name}")
        return opened.read()


def sprite(nodes: dict[str, list[tuple[str, dict[str, str]]]], names: list[str]) -> str:
    """Return one SVG with a symbol per icon, sorted by name."""
    symbols = []
    for name in sorted(names):
        if name not in nodes:
            sys.exit(f"no icon {name!r} in {GLYPHS.name} {GLYPHS.version}")
        shapes = "".join(
            f"<{tag} " + " ".join(f'{key}="{value}"' for key, value in facts.items()) + "/>"
            for tag, facts in nodes[name]
        )
        symbols.append(f'<symbol id="i-{name}" viewBox="0 0 24 24">{shapes}</symbol>')
    body = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n'


def write(path: Path, content: bytes) -> None:
    """Put the content in place and say so."""
    path.write_bytes(content)
    print(f"{path.relative_to(ROOT)}: {len(content)} octets")


if __name__ == "__main__":
    sys.exit(main())
