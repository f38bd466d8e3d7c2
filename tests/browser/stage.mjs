// The stage of the browser tests: an origin, two edges and a console, each `naru up` of its own on loopback, and a Chromium.
import { chromium } from 'playwright-core';
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export const ADDRESS = { origin: '127.0.0.91', east: '127.0.0.92', west: '127.0.0.93', console: '127.0.0.94', pages: '127.0.0.95', home: '127.0.0.97',
  doomed: '127.0.0.98', vault: '127.0.0.99', lobby: '127.0.0.100' };
const PORTS = { origin: 18080, edge: 18081, console: 8000, pages: 18001 };
export const URLS = {
  origin: `http://${ADDRESS.origin}:${PORTS.origin}`, east: `http://${ADDRESS.east}:${PORTS.edge}`, west: `http://${ADDRESS.west}:${PORTS.edge}`,
  console: `http://${ADDRESS.console}:${PORTS.console}`, home: `http://${ADDRESS.home}:${PORTS.console}`, pages: `http://${ADDRESS.pages}:${PORTS.pages}`,
  doomed: `http://${ADDRESS.doomed}:${PORTS.edge}`, lobby: `http://${ADDRESS.lobby}:${PORTS.console}`,
};
export const TITLE = 'The Ferry <img src=x onerror="document.title=1"> 나루', FILM = 'ferry', PERSON = { user: 'bob@gmail.com', password: 'ketchup-and-7' };
const FILM_S = 48, START_MS = 15000;

// The film is made once and kept beside the build.
export function filmMake(naru, keep) {
  if (existsSync(path.join(keep, 'films', FILM, 'presentation.json'))) return;
  mkdirSync(keep, { recursive: true });
  const made = spawnSync(naru, ['video', 'sample', '--id', FILM, '--title', TITLE, '--seconds', String(FILM_S), '--size', '640x360', '--catalogue', keep, '--quiet'], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error('naru video sample: ' + made.stderr);
}

const edgeOf = origin => `edge { disk 0; memory 128MB; slice 1MiB; resolver 127.0.0.1; site video.test ${ADDRESS.east} ${ADDRESS.west} ${ADDRESS.doomed} { origin ${origin}:${PORTS.origin} } }`;

export class Stage {
  constructor(naru, film) {
    this.naru = naru;
    this.film = film;
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'naru-browser-'));
    chmodSync(this.directory, 0o755);                    // services run as users of their own
    this.processes = {};
  }

  async up(name, ports, block) {
    const file = path.join(this.directory, `${name}.conf`), data = path.join(this.directory, name);
    writeFileSync(file, `host ${name}.test\ndirectory ${data}\naddress ${ADDRESS[name]}\n${ports ? `ports { ${ports} }` : ''}\n${block}\n`);
    const child = spawn(this.naru, ['up', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.processes[name] = child;
    let said = '';
    await new Promise((yes, no) => {
      const timer = setTimeout(() => no(new Error(`${name} is not ready:\n${said}`)), START_MS);
      const hear = chunk => {
        said += chunk;
        if (/service=up event=ready /.test(said)) { clearTimeout(timer); yes(); }
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.on('exit', () => no(new Error(`${name} ended:\n${said}`)));
    });
  }

  async start() {
    const console_ = `plaintext loopback; registration yes; title NetCinema; origin ${ADDRESS.origin}:${PORTS.origin}; video ${URLS.east}`;
    for (const origin of ['origin', 'vault']) {
      mkdirSync(path.join(this.directory, origin, 'origin'), { recursive: true });
      cpSync(path.join(this.film, 'films'), path.join(this.directory, origin, 'origin', 'films'), { recursive: true });
    }
    await Promise.all([
      this.up('origin', `origin ${PORTS.origin}`, `origin { base east ${URLS.east}; base west ${URLS.west} }`),
      this.up('east', `http ${PORTS.edge}`, edgeOf(ADDRESS.origin)),
      this.up('west', `http ${PORTS.edge}`, edgeOf(ADDRESS.origin)),
      // One whose films come from the edges straight, and one at home: over a link whose rate the slider sets.
      this.up('console', '', `console { ${console_}; media ${URLS.west} ${URLS.origin} }`),
      this.up('home', `http ${PORTS.edge}`, `console { ${console_}; relay ${ADDRESS.east} ${ADDRESS.west}; link yes }`),
      // And a company whose first edge will die.
      this.up('vault', `origin ${PORTS.origin}`, `origin { base doomed ${URLS.doomed}; base west ${URLS.west} }`),
      this.up('doomed', `http ${PORTS.edge}`, edgeOf(ADDRESS.vault)),
      this.up('lobby', '', `console { plaintext loopback; registration yes; origin ${ADDRESS.vault}:${PORTS.origin}; video ${URLS.doomed}; media ${URLS.west} }`),
    ]);
  }

  // The small Internet with three CDNs and the film, once for all cases: where its company's page is, and who may set its line.
  tryStart() {
    return this.tried ??= this.tryBegin();
  }

  // name: of a small Internet of its own.
  async tryBegin(name = 'try') {
    const child = spawn(this.naru, ['try', '--map', 'three-cdns', '--films', this.film, '--json', '--dir', path.join(this.directory, name)], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.processes[name] = child;
    let said = '';
    const all = await new Promise((yes, no) => {
      setTimeout(() => no(new Error(`naru try is not ready: ${said}`)), START_MS).unref();
      child.stdout.on('data', chunk => {
        said += chunk;
        try { yes(JSON.parse(said)); } catch { /* more comes */ }
      });
      child.on('exit', () => no(new Error(`naru try ended: ${said}`)));
    });
    const operator = all.accounts.find(a => a.address.startsWith('operator@'));
    return { site: `http://${all.hosts['netcinema.com'].console}`, all, operator: { user: operator.address, password: operator.password } };
  }

  // The process and the services below it end in order.
  async kill(name) {
    const child = this.processes[name];
    if (!child || child.exitCode !== null) return;
    const gone = new Promise(yes => child.on('exit', yes));
    child.kill('SIGTERM');
    await gone;
  }

  async stop() {
    await Promise.all(Object.keys(this.processes).map(name => this.kill(name)));
    this.server?.close();
    await this.browser?.close();
    await this.insider?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  // A page of the tests' own: a video element and the players that are judges.
  async pagesServe(files) {
    this.server = createServer((request, answer) => {
      const file = files[request.url.split('?')[0]];
      answer.writeHead(file ? 200 : 404, { 'Content-Type': file?.endsWith('.js') ? 'text/javascript' : 'text/html' });
      answer.end(file ? (file.startsWith('<') ? file : readFileSync(file)) : '');
    });
    await new Promise(yes => this.server.listen(PORTS.pages, ADDRESS.pages, yes));
  }

  async browserStart() {
    this.browser = await this.launch();
  }

  // A browser that finds the small Internet's hosts under their names.
  async insiderStart(addresses) {
    const rules = Object.entries(addresses).map(([name, address]) => `MAP ${name} ${address}`).join(',');
    return this.insider = await this.launch(`--host-resolver-rules=${rules}`);
  }

  launch(...more) {
    return chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true,
      args: [...more, '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--mute-audio',
        '--autoplay-policy=no-user-gesture-required'],
    });
  }
}
