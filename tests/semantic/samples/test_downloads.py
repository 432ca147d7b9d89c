"""Data sets over HTTP from a server of our own: whole, broken off and resumed, damaged, already here."""

from __future__ import annotations

import hashlib
import http.server
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from semantic.samples.downloads import DATA_SETS, DataSet, RemoteFile, data_directory


@dataclass
class Server:
    """What it serves, where it breaks off (once), and the byte ranges that it was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    breaks_after: int | None = None
    ranges: bool = True
    tags: bool = False
    compares: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, wanted = self.path[1:], self.headers.get("Range")
            state.asked.append((name, wanted))
            content = state.files.get(name)
            if content is None:
                self.send_error(404)
                return
            tag, known = f'"{hashlib.sha256(content).hexdigest()}"', self.headers.get("If-Range")
            same = not state.compares or known in (None, tag)
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and state.ranges and same else 0
            if start and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if state.tags:
                self.send_header("ETag", tag)
            self.end_headers()
            stop, state.breaks_after = state.breaks_after, None
            self.wfile.write(content[start:stop])

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        state.url = f"http://127.0.0.1:{serving.server_port}"
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield state
        serving.shutdown()
        thread.join()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMPHY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "data"


def tar(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def offer(server: Server, counts: dict[str, int], **files: bytes) -> DataSet:
    """Serve files (two underscores for the dot in a name) and describe them, digests included."""
    server.files = {name.replace("__", "."): content for name, content in files.items()}
    remote = [
        RemoteFile(f"{server.url}/{name}", len(content), hashlib.sha256(content).hexdigest())
        for name, content in server.files.items()
    ]
    return DataSet("things", "a licence", "for tests", tuple(remote), counts)


def test_files_and_archives(server: Server, home: Path) -> None:
    things = offer(
        server,
        {"*.png": 1, "box/*.jpg": 2, "words.txt": 1},
        one__png=b"picture",
        box__tar=tar({"box/a.jpg": b"a", "box/b.jpg": b"b"}),
        words__zip=zipped({"words.txt": b"words", "__MACOSX/._words.txt": b"x"}),
    )
    seen: list[tuple[str, int, int]] = []
    assert not things.is_here
    assert things.fetch(lambda *progress: seen.append(progress)) == home / "things"
    assert things.is_here
    lying = sorted(str(p.relative_to(home / "things")) for p in (home / "things").rglob("*") if p.is_file())
    assert lying == ["box/a.jpg", "box/b.jpg", "one.png", "words.txt"]
    assert ("one.png", 7, 7) in seen
    asked = len(server.asked)
    things.fetch()
    assert len(server.asked) == asked  # nothing to do


def test_resumes_where_it_broke_off(server: Server, home: Path) -> None:
    content = bytes(range(256)) * 40
    things = offer(server, {"a.bin": 1, "b.bin": 1}, a__bin=b"first", b__bin=content)
    fetch_a, server.breaks_after = replace(things, files=things.files[:1], counts={"nothing": 1}), None
    with pytest.raises(ValueError, match="incomplete: 0 of 1 nothing"):
        fetch_a.fetch()
    server.breaks_after = 1000
    with pytest.raises(OSError, match="1000 of 10240 bytes"):
        things.fetch()
    assert not (home / "things").exists()
    things.fetch()
    assert server.asked == [("a.bin", None), ("b.bin", None), ("b.bin", "bytes=1000-")]
    assert (home / "things" / "b.bin").read_bytes() == content


def test_begins_anew_where_the_server_knows_no_ranges(server: Server, home: Path) -> None:
    content = b"0123456789" * 100
    things = offer(server, {"a.bin": 1}, a__bin=content)
    server.breaks_after, server.ranges = 300, False
    with pytest.raises(OSError, match="broke off"):
        things.fetch()
    assert (things.fetch() / "a.bin").read_bytes() == content


@pytest.mark.parametrize(("tags", "compares"), [(True, True), (True, False), (False, True)])
def test_two_versions_are_not_glued_together(server: Server, home: Path, tags: bool, compares: bool) -> None:
    """Of a file without a digest, whether the server compares versions, only names them, or does neither."""
    old, new = b"0123456789" * 100, b"abcdefghij" * 100
    things = offer(server, {"a.bin": 1}, a__bin=old)
    things = replace(things, files=(RemoteFile(things.files[0].url, 1000),))
    server.tags, server.compares, server.breaks_after = tags, compares, 300
    with pytest.raises(OSError, match="broke off after 300 of 1000"):
        things.fetch()
    server.files["a.bin"] = new[: 1000 if compares else 200]
    assert (things.fetch() / "a.bin").read_bytes() == server.files["a.bin"]
    assert sorted(path.name for path in (home / "things").iterdir()) == ["a.bin"]


def test_the_same_version_goes_on(server: Server, home: Path) -> None:
    things = offer(server, {"a.bin": 1}, a__bin=b"0123456789" * 100)
    things = replace(things, files=(RemoteFile(things.files[0].url, 1000),))
    server.tags, server.breaks_after = True, 300
    with pytest.raises(OSError, match="broke off"):
        things.fetch()
    assert (things.fetch() / "a.bin").read_bytes() == b"0123456789" * 100
    assert [wanted for _, wanted in server.asked] == [None, "bytes=300-"]


def test_three_at_once_bring_it_once(server: Server, home: Path) -> None:
    things = offer(server, {"a.bin": 1, "b.txt": 1}, a__bin=b"x" * 5_000_000, b__zip=zipped({"b.txt": b"b"}))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: things.fetch(), range(3)))
    assert found == [home / "things"] * 3
    assert sorted(name for name, _ in server.asked) == ["a.bin", "b.zip"]


def test_all_bytes_were_here_already(server: Server, home: Path) -> None:
    things = offer(server, {"a.bin": 1}, a__bin=b"everything")
    (home / "things.partial").mkdir(parents=True)
    (home / "things.partial" / "a.bin.part").write_bytes(b"everything")
    assert (things.fetch() / "a.bin").read_bytes() == b"everything"


def test_what_came_is_checked(server: Server, home: Path) -> None:
    things = offer(server, {"a.bin": 1}, a__bin=b"the right thing")
    server.files["a.bin"] = b"something else "
    with pytest.raises(ValueError, match=hashlib.sha256(b"something else ").hexdigest()):
        things.fetch()
    server.files["a.bin"] = b"the right thing"
    assert (things.fetch() / "a.bin").read_bytes() == b"the right thing"  # the wrong one was thrown away


def test_damaged_and_malicious_archives(server: Server, home: Path) -> None:
    things = offer(server, {"a": 1}, box__tar=tar({"../outside": b"!"}))
    with pytest.raises(ValueError, match=r"box\.tar cannot be unpacked"):
        things.fetch()
    assert not (home / "outside").exists()
    things = replace(offer(server, {"a": 1}, box__zip=b"no zip at all"), name="others")
    with pytest.raises(ValueError, match=r"box\.zip cannot be unpacked"):
        things.fetch()
    content = bytearray(zipped({"a": b"secret"}))
    for header, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(header) + flags] |= 1  # which says that it is encrypted
    things = replace(offer(server, {"a": 1}, box__zip=bytes(content)), name="encrypted")
    with pytest.raises(ValueError, match=r"box\.zip cannot be unpacked: .*encrypted"):
        things.fetch()


def test_without_a_digest_the_stated_size_and_the_counts_are_checked(server: Server, home: Path) -> None:
    things = offer(server, {"*.jpg": 3}, box__zip=zipped({"a.jpg": b"a", "b.jpg": b"b"}))
    things = replace(things, files=(RemoteFile(things.files[0].url, 5),))
    assert "no SHA-256" in things.checked
    with pytest.raises(ValueError, match=r"2 of 3 \*\.jpg"):
        things.fetch()
    things = replace(things, counts={"*.jpg": 2})
    assert things.fetch() == home / "things"


def test_no_such_file_and_no_such_server(server: Server, home: Path) -> None:
    things = offer(server, {"a.bin": 1}, a__bin=b"x")
    server.files.clear()
    with pytest.raises(OSError, match=r"a\.bin was refused.*404"):
        things.fetch()
    gone = replace(things, files=(RemoteFile("http://127.0.0.1:9/a.bin", 1),))
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9/a\.bin failed after 0 bytes"):
        gone.fetch()


def test_what_else_lies_there_is_left_alone(server: Server, home: Path) -> None:
    things = offer(server, {"a.bin": 1}, a__bin=b"x")
    (home / "things").mkdir(parents=True)
    (home / "things" / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="something else"):
        things.fetch()
    assert server.asked == []


def test_the_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEMPHY_DATA", raising=False)
    assert data_directory() == Path.home() / ".local" / "share" / "semphy"


def test_the_table() -> None:
    assert set(DATA_SETS) == {"kodak24", "voc2012", "flickr8k"}
    for found in DATA_SETS.values():
        assert found.licence and found.purpose and found.counts and found.size_bytes > 1e7
        assert all(re.fullmatch(r"|[0-9a-f]{64}", file.sha256) for file in found.files)
        assert len({file.name for file in found.files}) == len(found.files)
    checked = {name: found.checked for name, found in DATA_SETS.items()}
    assert checked["kodak24"] == checked["voc2012"] == "SHA-256 pinned" != checked["flickr8k"]


def test_kodak_is_what_is_pinned(data_dir: Path) -> None:
    for file in DATA_SETS["kodak24"].files:
        content = (data_dir / "kodak24" / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size_bytes, file.sha256)
    assert DATA_SETS["kodak24"].is_here == (data_directory() == data_dir)
