import { become, me } from '../api';
import { go, show, type Page } from '../app';
import { make } from '../dom';
import { language, say, speak, type Word } from '../words';

function choice(name: string, options: [string, string][], chosen: string, take: (value: string) => void): HTMLElement {
  return make('fieldset', {}, make('legend', {}, name), ...options.map(([value, text]) =>
    make('label', { class: 'choice' }, make('input', { type: 'radio', name, value, checked: value === chosen, onchange: () => take(value) }), text)));
}

function themeTake(theme: string): void {
  if (theme === 'auto') {
    localStorage.removeItem('theme');
    delete document.documentElement.dataset['theme'];
  } else {
    localStorage.setItem('theme', theme);
    document.documentElement.dataset['theme'] = theme;
  }
}

export const accountPage: Page = main => {
  const role = `role_${me.role}`, known = ['role_admin', 'role_user', 'role_viewer'].includes(role);
  const everywhere = async () => {
    await become('/api/sign-out-everywhere').catch(() => {});
    go('/sign-in');
  };
  main.append(
    make('h1', {}, say('account')),
    make('dl', { class: 'facts' },
      make('div', {}, make('dt', {}, say('user')), make('dd', {}, me.who)),
      make('div', {}, make('dt', {}, say('role')), make('dd', {}, known ? say(role as Word) : me.role))),
    make('div', { class: 'card' },
      choice(say('language'), [['en', 'English'], ['ko', '한국어']], language, value => { speak(value as 'en' | 'ko'); void show(); }),
      choice(say('appearance'), [['auto', say('auto')], ['light', say('light')], ['dark', say('dark')]], localStorage.getItem('theme') ?? 'auto', themeTake)),
    make('p', { class: 'row' }, make('button', { type: 'button', onclick: () => void everywhere() }, say('sign_out_everywhere'))));
};
