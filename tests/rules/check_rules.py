#!/usr/bin/env python3
"""Checks the rules of the house that a script can check. Closes with the number of broken ones; 0 is success.

Rules: include directions (includes.json), one home for Beast and for tl::, banned words, the head comment of every header,
lengths of lines, files and functions (long_functions.json is a ratchet: its numbers may only fall), sizes of files.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "tests" / "rules"
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800
COLUMNS_MAX = 120
FILE_BYTES_MAX = 1 << 20
BANNED = [
    (r"system_clock::now", "read the time through a Clock&", lambda p: p != "common/clock.cpp"),
    (r"std::regex", "use RE2 (common/regex.h)", lambda p: True),
    (r"\bsleep_for\b", "wait on a condition", lambda p: p.endswith("_test.cpp")),
    (r"\bstd::cout\b", "only cli/ prints", lambda p: not p.startswith(("cli/", "bench/", "tests/"))),
    (r"\brand\(", "take a seeded generator", lambda p: True),
    (r"^\s*using namespace", "not in headers", lambda p: p.endswith(".h")),
    (r"^(?!.*_ptr<).*[=(,]\s*new [A-Z]", "no owning raw pointers", lambda p: True),
    (r"^\s*delete ", "no owning raw pointers", lambda p: True),
]
BAD_NAMES = re.compile(r"(^|_)(util|utils|helper|helpers|misc|common_)")


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [p for p in out.split("\0") if p and (ROOT / p).is_file()]


def folder_of(path, folders):
    """The longest folder of the table that holds this path."""
    fitting = [f for f in folders if path.startswith(f + "/")]
    return max(fitting, key=len) if fitting else None


def may_include(path, here, header, there, table):
    if here == "chunks" and there == "common/net":
        return "s3" in Path(path).name  # its S3 store speaks HTTP
    # An entry allows its folder and what is below it, but common/net is always named apart.
    return there in table[here] or any(header.startswith(a + "/") for a in table[here] if there != "common/net")


def check_includes(path, text, table):
    here = folder_of(path, table)
    if here is None:
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not match:
            continue
        there = folder_of(match[1], table)
        if there is not None and there != here and not may_include(path, here, match[1], there, table):
            yield f"{path}:{number}: {here} may not include {there} ({match[1]})"
        if there is None and not (ROOT / match[1]).exists():
            yield f"{path}:{number}: include is not relative to the root: {match[1]}"


def check_homes(path, text):
    inside_net = path.startswith("common/net/") and (path.endswith(".cpp") or "Internal to net" in text)
    if "boost/beast" in text and not inside_net:
        yield f"{path}: only sources and internal headers of common/net include Beast"
    if re.search(r"\btl::", text) and path != "common/result.h":
        yield f"{path}: only common/result.h names tl::"
    if re.search(r"\bstd::mutex\b", text) and path != "common/mutex.h":
        yield f"{path}: use kvasir::Mutex (common/mutex.h)"


def check_words(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]
        for pattern, instead, applies in BANNED:
            if applies(path) and re.search(pattern, code):
                yield f"{path}:{number}: {pattern}: {instead}"


def check_shape(path, text):
    name = Path(path).name
    if BAD_NAMES.search(Path(path).stem):
        yield f"{path}: name the concept, not util, helper, misc or common"
    if path.endswith(".h") and not text.startswith(f"// {name} -- "):
        yield f"{path}: a header opens with `// {name} -- what it is`"
    lines = text.count("\n")
    if lines > FILE_LINES_MAX and not path.endswith("_test.cpp"):
        yield f"{path}: {lines} lines (limit {FILE_LINES_MAX})"


def check_columns(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS_MAX and '"' not in line:  # a literal may not be breakable
            yield f"{path}:{number}: {len(line)} columns (limit {COLUMNS_MAX})"


def function_lengths(paths):
    """{"path:function": lines} of every function over the limit, by Universal Ctags."""
    listing = "\n".join(str(ROOT / p) for p in paths)
    out = subprocess.run(["ctags", "--output-format=json", "--fields=+neS", "--kinds-c++=f", "-L", "-", "-f", "-"],
                         input=listing, capture_output=True, text=True, check=True).stdout
    long = {}
    for row in out.splitlines():
        tag = json.loads(row)
        lines = tag.get("end", tag["line"]) - tag["line"] + 1
        if lines > FUNCTION_LINES_MAX:
            key = f'{Path(tag["path"]).relative_to(ROOT)}:{tag["name"]}'
            long[key] = max(lines, long.get(key, 0))
    return long


def check_functions(paths):
    ratchet = json.loads((RULES / "long_functions.json").read_text())
    for key, lines in sorted(function_lengths(paths).items()):
        if lines > ratchet.get(key, FUNCTION_LINES_MAX):
            yield f"{key}: {lines} lines (limit {ratchet.get(key, FUNCTION_LINES_MAX)})"


def main():
    table = json.loads((RULES / "includes.json").read_text())["allowed"]
    sources = tracked("*.cpp", "*.h")
    broken = []
    for path in sources:
        text = (ROOT / path).read_text(encoding="utf-8")
        broken += check_includes(path, text, table)
        broken += check_homes(path, text)
        broken += check_words(path, text)
        broken += check_shape(path, text)
        broken += check_columns(path, text)
    broken += check_functions([p for p in sources if not p.startswith(("tests/", "bench/")) and not p.endswith("_test.cpp")])
    for path in tracked():
        if (ROOT / path).stat().st_size > FILE_BYTES_MAX:
            broken.append(f"{path}: over {FILE_BYTES_MAX} bytes")
    print("\n".join(broken))
    print(f"{len(sources)} files read, {len(broken)} broken rules")
    return 1 if broken else 0


sys.exit(main())
