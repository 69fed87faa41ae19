// Runs on_pyodide.py under Node, in a folder where `npm install pyodide` has been run:
//
//     node .../examples/embedding/on_pyodide.mjs WHEEL...
//
// The wheels are those of msgspec (for Pyodide's platform), h11 and typing_extensions.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const found = createRequire(resolve("package.json")).resolve("pyodide/pyodide.mjs");
const { loadPyodide } = await import(pathToFileURL(found));

const { MESHAPI_BASE_URL, MESHAPI_TOKEN } = process.env;
const pyodide = await loadPyodide({ env: { MESHAPI_BASE_URL, MESHAPI_TOKEN, HOME: "/" } });
for (const wheel of process.argv.slice(2)) {
  pyodide.unpackArchive(new Uint8Array(readFileSync(wheel)), "wheel");
}
pyodide.mountNodeFS("/src", resolve(here, "../../src"));
pyodide.mountNodeFS("/examples", here);
try {
  await pyodide.runPythonAsync(`
import sys

sys.path += ["/src", "/examples"]
import on_pyodide

await on_pyodide.main()
`);
} catch (error) {
  console.error(error.message); // without Pyodide's source line, which is a megabyte long
  process.exit(1);
}
process.exit(0); // fetch keeps connections open, which keep the process alive
