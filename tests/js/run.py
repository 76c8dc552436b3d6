"""Runs an explorer's JavaScript in Node, on the very file that the browser gets, and brings back what it returns.

``run("merges", "return m.pretokenize(given)", "two words")`` imports ``helpers/explorers/merges.js`` as ``m`` and
``shared.js`` as ``shared``, runs the body with `given`, and returns its result. Everything travels as JSON.
Where there is no Node, the test that asks is skipped with one line; on a CI machine that is a failure.
"""

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from helpers.explorers.base import HERE

NEEDS = "These tests run JavaScript: install Node 18 or newer (https://nodejs.org, or: apt install nodejs)"

_PROGRAM = """
import { register } from "node:module";
// The files are ES modules, but no package.json says so: Node is told here.
const hook = `
export async function load(url, context, next) {
  return next(url, url.includes("/explorers/") ? { ...context, format: "module" } : context);
}`;
register("data:text/javascript," + encodeURIComponent(hook));
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { folder, name, given } = JSON.parse(Buffer.concat(chunks).toString("utf8"));
const shared = await import(`${folder}/shared.js`);
const m = name ? await import(`${folder}/${name}.js`) : shared;
const body = async (m, shared, given) => { BODY };
const result = await body(m, shared, given);
process.stdout.write(JSON.stringify(result ?? null, (_, value) =>
  ArrayBuffer.isView(value) ? Array.from(value) : Object.is(value, -0) ? 0 : typeof value === "number" && !Number.isFinite(value) ? String(value) : value));
"""


def node() -> str:
    """Node's path; skips the test (on CI: fails it) where there is none."""
    found = shutil.which("node") or shutil.which("nodejs")
    if not found:
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(NEEDS, pytrace=False)
        pytest.skip(NEEDS)
    return found


def run(name: str | None, body: str, given: Any = None, *, seconds: float = 30) -> Any:
    """What `body`, a JavaScript function's inside, returns for `given`; raises AssertionError with Node's own words."""
    program = _PROGRAM.replace("BODY", body)
    done = subprocess.run(
        [node(), "--no-warnings", "--input-type=module", "--eval", program],
        input=json.dumps({"folder": HERE.as_uri(), "name": name, "given": given}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
