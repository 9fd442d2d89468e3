// The worker of the playground: Python in WebAssembly, Ogive in it, and one request after the other.
//
// It tells the page {state} while it starts and while it loads a library, and then answers {id, answer} or {id, fault}.
"use strict";
const HERE = "vendor/", HOME = "/lib/ogive";
const WHEELS = JSON.parse(new URL(self.location.href).searchParams.get("wheels") || "{}");

async function bytes(name) {
  const answer = await fetch(HERE + name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

// What only hard proofs need is loaded when it is imported: a request that cannot be waited for elsewhere in Python.
let loading = 0;  // one package imports another
function wheel(name) {
  loading += 1;
  postMessage({state: `Loading ${name}`, loading: true});
  const asked = new XMLHttpRequest();
  asked.open("GET", HERE + WHEELS[name], false);
  asked.responseType = "arraybuffer";
  asked.send(null);
  return asked.status === 200 ? new Uint8Array(asked.response) : new Uint8Array(0);
}

const FINDER = `
import importlib.machinery, sys

class Loader:
    """What loads a wheel's package, and tells when that is done."""

    def __init__(self, inner):
        self.inner = inner

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self.inner.exec_module(module)
        loaded()

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name not in wheels:
            return None
        place = f"/lib/{name}.whl"
        with open(place, "wb") as file:
            file.write(load(name).to_bytes())
        sys.path.append(place)
        wheels.remove(name)
        found = importlib.machinery.PathFinder.find_spec(name, [place])
        if found is not None:
            found.loader = Loader(found.loader)
        return found

sys.path.insert(0, home)
sys.meta_path.append(Finder())
`;

// Python's own words for what went wrong, without the way there; a stack that is full ends Python for good.
function told(error) {
  const text = String(error.message || error).trim();
  return /call stack|recursion/i.test(text) ? "this program is nested deeper than a browser takes" : text.split("\n").pop();
}

async function start() {
  postMessage({state: "Starting Python"});
  try {
    importScripts(`${HERE}pyodide.js`);
  } catch {
    throw new Error("this site was built without it; docs/site/playground.py completes it");
  }
  const [python, source, answers] = await Promise.all([
    loadPyodide({indexURL: HERE, packages: []}), bytes("ogive.zip"), bytes("../answers.py"),
  ]);
  postMessage({state: "Loading Ogive"});
  python.unpackArchive(source, "zip", {extractDir: HOME});
  python.FS.writeFile(`${HOME}/answers.py`, answers);
  const names = python.toPy({home: HOME, wheels: Object.keys(WHEELS), load: wheel,
    loaded: () => { loading -= 1; if (!loading) postMessage({state: "", loading: false}); }});
  python.runPython(FINDER, {globals: names});
  const answer = python.pyimport("answers").answer;
  self.onmessage = ({data}) => {
    try {
      postMessage({id: data.id, answer: answer(JSON.stringify(data.asked))});
    } catch (error) {
      postMessage({id: data.id, fault: told(error)});
    }
  };
  postMessage({state: "", ready: true});
}
start().catch(error => postMessage({failed: told(error)}));
