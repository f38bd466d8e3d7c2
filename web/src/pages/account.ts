import { become, me, Refusal } from '../api';
import { go, show, type Page } from '../app';
import { make } from '../dom';
import { language, say, sayError, speak, type Word } from '../words';

function choice(name: string, options: [string, string][], chosen: string, take: (value: string) => void): HTMLElement {
  return make('fieldset', {}, make('legend', {}, name), make('div', { class: 'choices' }, ...options.map(([value, text]) =>
    make('label', { class: 'choice' }, make('input', { type: 'radio', name, value, checked: value === chosen, onchange: () => take(value) }), make('span', {}, text)))));
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

function passwordForm(): HTMLElement {
  const field = (id: string, complete: string, min: number) => make('input', { type: 'password', id, name: id, required: true, minlength: min, maxlength: 255, autocomplete: complete });
  const now = field('password-now', 'current-password', 1), fresh = field('password-new', 'new-password', 8), again = field('password-again', 'new-password', 8);
  const trouble = make('p', { class: 'bad', role: 'alert' }), done = make('p', { class: 'good', role: 'status' }), button = make('button', { type: 'submit', class: 'main' }, say('password_change'));
  const submit = async (e: Event) => {
    e.preventDefault();
    trouble.textContent = done.textContent = '';
    if (fresh.value !== again.value) {
      trouble.textContent = say('password_differ');
      again.focus();
      return;
    }
    button.disabled = true;
    try {
      await become('/api/password', { password: now.value, new: fresh.value });
      done.textContent = say('password_done');
      now.value = fresh.value = again.value = '';
    } catch (error) {
      trouble.textContent = sayError(error instanceof Refusal ? error.code : 'lost');
      now.focus();
    }
    button.disabled = false;
  };
  return make('form', { class: 'card stack', onsubmit: e => void submit(e), 'aria-labelledby': 'password-title' },
    make('h2', { id: 'password-title' }, say('password_title')),
    make('input', { type: 'text', name: 'username', autocomplete: 'username', value: me.who, hidden: true }),           // for password managers
    make('label', { for: 'password-now' }, say('password_now')), now,
    make('label', { for: 'password-new' }, say('password_new')), fresh, make('p', { class: 'reason' }, say('password_rule')),
    make('label', { for: 'password-again' }, say('password_again')), again, trouble, done, make('div', { class: 'row' }, button));
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
    make('div', { class: 'cards' },
      make('section', { class: 'card stack', 'aria-labelledby': 'preferences-title' }, make('h2', { id: 'preferences-title' }, say('preferences')),
        choice(say('language'), [['en', 'English'], ['ko', '한국어']], language, value => { speak(value as 'en' | 'ko'); void show(); }),
        choice(say('appearance'), [['auto', say('auto')], ['light', say('light')], ['dark', say('dark')]], localStorage.getItem('theme') ?? 'auto', themeTake),
        make('h2', {}, say('sessions_title')), make('p', { class: 'reason' }, say('sessions_help')),
        make('div', { class: 'row' }, make('button', { type: 'button', 'data-act': 'everywhere', onclick: () => void everywhere() }, say('sign_out_everywhere')))),
      passwordForm()));
};
