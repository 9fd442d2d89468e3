// Requests to the worker: one at a time, the newest of a kind alone, some seconds each; then it is ended and begun anew.

export class Desk {
  constructor({wheels, limit, said, busy}) {
    Object.assign(this, {wheels, limit, said, busy, waiting: [], current: null, count: 0, broken: ""});
    this.begin();
  }

  begin() {
    const address = new URL("worker.js", import.meta.url);
    address.searchParams.set("wheels", JSON.stringify(this.wheels));
    this.ready = false;
    this.worker = new Worker(address);
    this.worker.onmessage = ({data}) => this.heard(data);
    this.worker.onerror = event => { event.preventDefault(); this.fail(event.message || "the worker cannot be loaded"); };
  }

  // The answer as data; undefined where a newer request of the kind has come, null where it was stopped.
  ask(asked) {
    return new Promise(resolve => {
      for (const old of this.waiting.filter(each => each.asked.kind === asked.kind)) old.resolve(undefined);
      this.waiting = this.waiting.filter(each => each.asked.kind !== asked.kind);
      this.waiting.push({id: ++this.count, asked, resolve});
      if (this.broken) { this.said(this.broken); this.drop(); }
      this.next();
    });
  }

  next() {
    if (!this.ready || this.current || !this.waiting.length) return;
    this.current = this.waiting.shift();
    this.worker.postMessage({id: this.current.id, asked: this.current.asked});
    this.time();
    this.shown = setTimeout(() => this.busy(true), 200);
  }

  time() {
    const seconds = this.limit();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.stop(
      `Stopped after ${seconds} seconds: this takes longer than the playground gives it.`), 1000 * seconds);
  }

  heard(data) {
    if (data.state !== undefined) this.said(data.state && `${data.state} …`);
    if (data.loading === true) clearTimeout(this.timer);  // what is fetched does not count
    if (data.loading === false && this.current) this.time();
    if (data.failed) this.fail(data.failed);
    if (data.ready) { this.ready = true; this.next(); }
    if (this.current === null || data.id !== this.current.id) return;
    const {resolve} = this.current;
    this.done();
    if (data.fault) {
      resolve(null);
      this.stop(`Not answered: ${data.fault}.`);
    } else resolve(JSON.parse(data.answer));
    this.next();
  }

  done() {
    clearTimeout(this.timer); clearTimeout(this.shown);
    this.current = null;
    this.busy(false);
  }

  drop() {
    if (this.current) { this.current.resolve(null); this.done(); }
    for (const each of this.waiting) each.resolve(null);
    this.waiting = [];
  }

  // End what is computed: the worker cannot be told while Python runs, so that another takes its place.
  stop(text) {
    this.drop();
    this.worker.terminate();
    this.begin();
    this.said(text);
  }

  fail(text) {
    this.broken = `The playground cannot start here: ${text}.`;
    this.said(this.broken);
    this.drop();
  }
}
