// node web/build.mjs DIRECTORY DEPFILE TARGET: bundles the pages into DIRECTORY, each file named by what is in it and packed beside plain,
// and prints the files' paths, a line each. $DECISION: the rate decision as WebAssembly. DEPFILE (for ninja) says what TARGET was made from.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const [directory, depfile, target] = process.argv.slice(2);
const root = path.dirname(fileURLToPath(import.meta.url));
const PACKED_BYTES_MIN = 512;                            // smaller files gain nothing

const result = await build({
  absWorkingDir: root,
  entryPoints: ['src/app.ts', 'src/theme.ts', 'src/style.css'],
  bundle: true, minify: true, write: false, metafile: true, outdir: 'out',
  format: 'esm', target: ['chrome100', 'firefox100', 'safari15'], charset: 'utf8', legalComments: 'none',
  loader: { '.wasm': 'binary' },
  alias: { 'decision.wasm': path.resolve(process.env.DECISION) },
});

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });

function put(name, bytes) {
  const files = [path.join(directory, name)];
  writeFileSync(files[0], bytes);
  if (bytes.length >= PACKED_BYTES_MIN) {
    files.push(files[0] + '.gz');
    writeFileSync(files[1], gzipSync(bytes, { level: 9 }));
  }
  return files;
}

const named = {}, files = [];
const outputs = [...result.outputFiles, { path: 'icon.svg', contents: readFileSync(path.join(root, 'src/icon.svg')) }];
for (const out of outputs) {
  const { name, ext } = path.parse(out.path);
  const bytes = Buffer.from(out.contents), hash = createHash('sha256').update(bytes).digest('hex').slice(0, 10);
  named[name + ext] = `/assets/${name}-${hash}${ext}`;
  files.push(...put(`${name}-${hash}${ext}`, bytes));
}
const page = readFileSync(path.join(root, 'src/index.html'), 'utf8').replace(/%(\w+\.\w+)%/g, (_, name) => named[name]);
files.push(...put('index.html', Buffer.from(page)));

const media = path.join(root, '../src/wire/media');
const decision = ['decision/door.c', ...readdirSync(media).filter(f => /^rate_.*\.[ch]$/.test(f) && !/_(test|fuzz)\.c$/.test(f)).map(f => path.join(media, f))];
const sources = Object.keys(result.metafile.inputs).filter(f => !f.endsWith('.wasm'));
const inputs = [...sources, ...decision, 'src/index.html', 'src/icon.svg', 'build.mjs', 'package-lock.json'].map(f => path.resolve(root, f));
writeFileSync(depfile, `${target}: ${inputs.join(' ')}\n`);
console.log(files.join('\n'));
