// node session.mjs BUNDLE WASM (NAME DIRECTORY TABLE)...: the page's player reads the film that decision-session left in DIRECTORY, is told of the
// same throughput, and must tell the decision the same and hear the same. BUNDLE: tests/web/page.ts.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [bundle, wasm, ...sessions] = process.argv.slice(2);
let passed = 0, failed = 0;

// ---- what a browser has ----------------------------------------------------------------------------------------------------------------

// As much of an XML parser as a manifest of naru's needs.
class Element {
  children = [];
  text = '';
  constructor(name, attributes) {
    this.localName = name.replace(/^.*:/, '');
    this.attributes = attributes;
  }
  getAttribute(name) { return this.attributes[name] ?? null; }
  hasAttribute(name) { return name in this.attributes; }
  get textContent() { return this.text + this.children.map(c => c.textContent).join(''); }
}
const plain = text => text.replace(/&(lt|gt|amp|quot|apos);/g, (_, n) => ({ lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" })[n]);

function xml(text) {
  const top = new Element('top', {}), open = [top];
  for (const [, close, name, attributes, empty, words] of text.matchAll(/<(\/?)([\w:]+)((?:\s+[\w:]+="[^"]*")*)\s*(\/?)>|([^<]+)|<\?[^>]*>/g)) {
    if (words !== undefined) open.at(-1).text += plain(words);
    else if (close) open.pop();
    else if (name) {
      const e = new Element(name, Object.fromEntries([...attributes.matchAll(/([\w:]+)="([^"]*)"/g)].map(m => [m[1], plain(m[2])])));
      open.at(-1).children.push(e);
      if (!empty) open.push(e);
    }
  }
  return { documentElement: top.children[0] };
}
globalThis.DOMParser = class { parseFromString(text) { return xml(text); } };
globalThis.location = { href: 'http://film.test/', origin: 'http://film.test' };

// A server of files: NAME.sidx is what stands behind the first bytes of NAME/whole.mp4.
let directory = '';
globalThis.fetch = async (url, options = {}) => {
  const name = new URL(url).pathname.slice(1), range = options.headers?.Range?.match(/^bytes=(\d+)-(\d+)$/);
  const file = path.join(directory, name.endsWith('/whole.mp4') ? path.basename(path.dirname(name)) + '.sidx' : path.basename(name));
  if (!existsSync(file)) return { ok: false, status: 404, url };
  const bytes = readFileSync(file);
  if (range && bytes.length !== range[2] - range[1] + 1) return { ok: false, status: 416, url };
  return { ok: true, status: range ? 206 : 200, url, text: async () => bytes.toString(), arrayBuffer: async () => new Uint8Array(bytes).buffer };
};

const { load, situationOf, Decider, WHATS, WHENS, WHERES } = await import(pathToFileURL(bundle));

// ---- the sessions ------------------------------------------------------------------------------------------------------------------------

const PLAYOUTS = ['starting', 'playing', 'stalled', 'paused'], ENDS = ['whole', 'abandoned', 'failed'];

function same(what, line, page, c) {
  if (JSON.stringify(page) !== JSON.stringify(c)) throw new Error(`line ${line}: ${what}: the page ${JSON.stringify(page)}, naru play ${JSON.stringify(c)}`);
}

async function replay(where, table) {
  directory = where;
  const film = await load('http://film.test/film/manifest.mpd'), decider = await Decider.make(readFileSync(wasm));
  const count = film.video[0].segments.length, seen = { decisions: 0, rungs: new Set(), servers: new Set(), abandoned: 0 };
  let now = null, running, line = 0;
  for (const text of readFileSync(table, 'utf8').trim().split('\n')) {
    const [verb, ...words] = text.split(' '), n = words.map(Number);
    line++;
    if (verb === 'jump') decider.jump();
    else if (verb === 'learn') decider.learn({ nowMs: n[0], server: n[1], rung: n[2], bytes: n[3], firstByteMs: n[4] / 1000, elapsedMs: n[5] / 1000, end: ENDS[n[6]] });
    else if (verb === 'situation') now = { n, bps: [], bytes: [] };
    else if (verb === 'bps' || verb === 'bytes') now[verb] = n;
    else if (verb === 'running') running = { rung: n[0], server: n[1], bytes: n[2], got: n[3], elapsedMs: n[4] / 1000, firstByteMs: n[5] / 1000, silentMs: n[6] };
    else if (verb === 'decided' && now.n[5] > 0) {
      const s = situationOf(film.video, film.audio[0], { nowMs: now.n[0], playout: PLAYOUTS[now.n[1]], bufferMs: now.n[2], speed: 1, index: count - now.n[5], servers: now.n[6], running });
      same('rates', line, s.bps, now.bps);
      same('sizes', line, s.bytes, now.bytes);
      same('buffer, capacity, segment, left', line, [s.bufferMs, s.capacityMs, s.segmentMs, s.segmentsLeft], now.n.slice(2, 6));
      const d = decider.decide(s);
      same('the decision', line, [['fetch', 'wait', 'go_on', 'abandon', 'done'].indexOf(d.act), d.rung, d.server, d.waitMs, WHENS.indexOf(d.when), WHATS.indexOf(d.what),
        WHERES.indexOf(d.where), d.throughputBps, d.throughputLowBps, d.downloadMs, d.bufferAfterMs, d.worthMilli, d.nextWorthMilli], n);
      seen.decisions++;
      if (d.act === 'fetch') seen.rungs.add(d.rung), seen.servers.add(d.server);
      if (d.act === 'abandon') seen.abandoned++;
      running = undefined;
    } else if (verb === 'decided') running = undefined;
  }
  if (seen.decisions < 200 || seen.rungs.size < 3 || seen.servers.size < 2) throw new Error(`the session says too little: ${seen.decisions} decisions, rungs ${[...seen.rungs]}, servers ${[...seen.servers]}`);
  return seen;
}

for (let i = 0; i < sessions.length; i += 3) {
  const [name, where, table] = sessions.slice(i, i + 3);
  try {
    const seen = await replay(where, table);
    passed++;
    console.log(`ok page and naru play decide the same: ${name} (${seen.decisions} decisions, ${seen.rungs.size} rungs, ${seen.abandoned} given up)`);
  } catch (error) {
    failed++;
    console.log(`not ok page and naru play decide the same: ${name}\n    ${error.message}`);
  }
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
