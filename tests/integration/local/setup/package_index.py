"""A package index of small wheels, served over HTTP."""

import base64
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

# The permissions of a file that everybody may run, where ZIP stores them.
EXECUTABLE = 0o100755 << 16


class PackageIndex:
    """A package index in a folder, in the format of PEP 503.

    Attributes:
        requests: the first line of each request.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []

    def add(self, name: str, files: dict[str, str]) -> str:
        """Publish version 1.0 of a package.

        Returns:
            The line of a lock that names the package and its checksum.
        """
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        wheel = folder / f"{name}-1.0-py3-none-any.whl"
        write_wheel(wheel, name, files)
        link = f'<a href="{wheel.name}">{wheel.name}</a>'
        (folder / "index.html").write_text(link)
        checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return f"{name}==1.0 --hash=sha256:{checksum}\n"

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve the folder.

        Yields:
            The URL.
        """
        requests = self.requests

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, _: str, *args: object) -> None:
                requests.append(str(args[0]))

        self.folder.mkdir(exist_ok=True)
        handler = partial(Handler, directory=self.folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        server.server_close()


def write_wheel(path: Path, name: str, files: dict[str, str]) -> None:
    """Write a wheel with the files, the metadata and the record of their checksums."""
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": tags}
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            entry = zipfile.ZipInfo(member)
            entry.external_attr = EXECUTABLE
            archive.writestr(entry, text)
            record += f"{member},sha256={record_checksum(text)},{len(text.encode())}\n"
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")


def record_checksum(text: str) -> str:
    """A checksum as the record of a wheel has it: base64 without padding."""
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
