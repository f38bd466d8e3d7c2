// node decision.mjs WASM HEADER TS TABLE...: the decision as WebAssembly says what C said (decision-table's lines), and the page's names of its
// reasons are the header's, in its order.
import { readFileSync } from 'node:fs';

const [wasm, header, ts, ...tables] = process.argv.slice(2);
let failed = 0, passed = 0;
const verdict = (good, name, why = '') => {
  good ? passed++ : failed++;
  console.log(`${good ? 'ok' : 'not ok'} ${name}${good || !why ? '' : '\n    ' + why}`);
};

const { instance: { exports: door } } = await WebAssembly.instantiate(readFileSync(wasm), {});

function replay(file) {
  let decisions = 0, line = 0;
  for (const text of readFileSync(file, 'utf8').trim().split('\n')) {
    const [verb, ...words] = text.split(' '), n = words.map(Number);
    line++;
    if (verb === 'start') door.start(n[0]);
    else if (verb === 'jump') door.jump();
    else if (verb === 'situation') door.situate(...n);
    else if (verb === 'rung') door.rung(...n);
    else if (verb === 'bar') door.bar(...n);
    else if (verb === 'running') door.running(...n);
    else if (verb === 'learn') door.learn(...n);
    else if (verb === 'reorder') { n.forEach((before, i) => door.place(i, before)); door.reorder(n.length); }
    else if (verb === 'decided') {
      door.decide();
      const said = n.map((_, i) => door.decided(i));
      if (said.some((x, i) => x !== n[i])) throw new Error(`${file}:${line}: C said ${n.join(' ')}, WebAssembly ${said.join(' ')}`);
      decisions++;
    } else throw new Error(`${file}:${line}: ${text}`);
  }
  return decisions;
}

let all = 0, trouble = '';
try {
  for (const table of tables) all += replay(table);
} catch (error) {
  trouble = error.message;
}
verdict(!trouble && all > 1000, `WebAssembly decides as C does (${all} decisions)`, trouble);

const h = readFileSync(header, 'utf8'), page = readFileSync(ts, 'utf8');
for (const [list, prefix] of [['WHENS', 'RATE_WHEN_'], ['WHATS', 'RATE_WHAT_'], ['WHERES', 'RATE_WHERE_']]) {
  const inC = [...new Set([...h.replace(/\/\/.*/g, '').matchAll(new RegExp(`\\b${prefix}([A-Z_]+)\\b`, 'g'))].map(m => m[1].toLowerCase()))];
  const inPage = page.match(new RegExp(`${list} = \\[([^\\]]*)\\]`))[1].match(/[a-z_]+/g);
  verdict(inC.join() === inPage.join(), `the page's ${list} are C's`, `C: ${inC.join()}; page: ${inPage.join()}`);
}
const words = readFileSync(new URL('../../web/src/words.ts', import.meta.url), 'utf8');
const missing = [['WHENS', 'when_'], ['WHATS', 'what_'], ['WHERES', 'where_']].flatMap(([list, prefix]) =>
  page.match(new RegExp(`${list} = \\[([^\\]]*)\\]`))[1].match(/[a-z_]+/g).map(w => prefix + w)).filter(w => words.split(w + ':').length < 3);
verdict(!missing.length, 'every reason has its words in both languages', missing.join(' '));
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
