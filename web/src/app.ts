// The shell: header, pages, who is signed in; and which page an address shows.
import { become, lookMe, me, whenSignedOut } from './api';
import { make } from './dom';
import { icon } from './icons';
import { language, say, speak, type Word } from './words';
import { accountPage } from './pages/account';
import { accountingPage } from './pages/accounting';
import { filmsPage } from './pages/films';
import { registerPage, signInPage } from './pages/sign';
import { statusPage } from './pages/status';
import { watchPage } from './pages/watch';

// A page fills the main element, and may return what is to happen when it is left.
export type Page = (main: HTMLElement, rest: string) => void | (() => void) | Promise<void | (() => void)>;

const pages: { path: string; word: Word; page: Page; open?: boolean; shown: boolean }[] = [
  { path: '/films', word: 'films', page: filmsPage, shown: true },
  { path: '/accounting', word: 'accounting', page: accountingPage, shown: true },
  { path: '/status', word: 'status', page: statusPage, shown: true },
  { path: '/account', word: 'account', page: accountPage, shown: true },
  { path: '/watch/', word: 'play', page: watchPage, shown: false },
  { path: '/sign-in', word: 'sign_in', page: signInPage, open: true, shown: false },
  { path: '/register', word: 'register', page: registerPage, open: true, shown: false },
];

let leave: (() => void) | void;
let shows = 0;                                           // the last call of show(): a page that comes late does not count

function themeSwitch(): void {
  const root = document.documentElement;
  const dark = root.dataset['theme'] ? root.dataset['theme'] === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset['theme'] = dark ? 'light' : 'dark';
  localStorage.setItem('theme', root.dataset['theme']);
}

function header(path: string): HTMLElement {
  const links = pages.filter(p => p.shown).map(p =>
    make('a', { href: p.path, 'aria-current': path === p.path ? 'page' : p.path === '/films' && path.startsWith('/watch/') ? 'true' : undefined }, say(p.word)));
  return make('header', {},
    make('a', { href: '#main', class: 'skip', onclick: e => { e.preventDefault(); document.getElementById('main')?.focus(); } }, say('skip')),
    make('a', { href: '/films', class: 'name' }, me.title),
    me.who ? make('nav', { 'aria-label': say('menu') }, ...links) : make('span', { class: 'space' }),
    make('span', { class: 'tools' },
      make('button', { type: 'button', title: say('theme'), 'aria-label': say('theme'), onclick: themeSwitch }, icon('theme')),
      make('button', { type: 'button', lang: language === 'ko' ? 'en' : 'ko', onclick: () => { speak(language === 'ko' ? 'en' : 'ko'); void show(); } }, language === 'ko' ? 'English' : '한국어'),
      me.who ? make('button', { type: 'button', onclick: () => void signOut() }, say('sign_out')) : null));
}

async function signOut(): Promise<void> {
  await become('/api/sign-out').catch(() => {});
  go('/sign-in');
}

export function go(path: string): void {
  history.pushState(null, '', path);
  void show().then(() => scrollTo(0, 0));
}

export async function show(): Promise<void> {
  const mine = ++shows;
  const path = location.pathname === '/' ? '/films' : location.pathname;
  const wanted = pages.find(p => p.path.endsWith('/') ? path.startsWith(p.path) : path === p.path) ?? pages[0]!;
  const chosen = wanted.open || me.who ? wanted : pages.find(p => p.path === '/sign-in')!;
  leave?.();
  leave = undefined;
  const main = make('main', { id: 'main', tabindex: -1 });
  document.getElementById('shell')!.replaceChildren(header(path), main);
  document.title = `${say(chosen.word)} · ${me.title}`;
  const left = await chosen.page(main, path.slice(chosen.path.length));
  if (mine === shows) leave = left;
  else left?.();
}

document.addEventListener('click', e => {
  const link = (e.target as Element).closest?.('a');
  if (!link || e.defaultPrevented || e.ctrlKey || e.metaKey || e.shiftKey || link.origin !== location.origin || link.hash || link.target) return;
  e.preventDefault();
  go(link.pathname + link.search);
});
addEventListener('popstate', () => void show());
whenSignedOut(() => void show());
lookMe().catch(() => {}).finally(() => void show());
