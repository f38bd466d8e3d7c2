import { become, me, Refusal } from '../api';
import { go, type Page } from '../app';
import { make } from '../dom';
import { say, sayError } from '../words';

function form(main: HTMLElement, path: '/api/sign-in' | '/api/register', after: HTMLElement | null): void {
  const joins = path === '/api/register', title = say(joins ? 'register' : 'sign_in');
  const trouble = make('p', { class: 'bad', role: 'alert' }, me.safe ? null : sayError('plaintext'));
  const user = make('input', { name: 'user', id: 'user', type: joins ? 'email' : 'text', autocomplete: 'username', autocapitalize: 'none', required: true, maxlength: 320 });
  const password = make('input', { name: 'password', id: 'password', type: 'password', required: true, minlength: joins ? 8 : 1, maxlength: 255, autocomplete: joins ? 'new-password' : 'current-password' });
  const button = make('button', { type: 'submit', class: 'main' }, title);
  const submit = async (e: Event) => {
    e.preventDefault();
    button.disabled = true;
    trouble.textContent = '';
    try {
      await become(path, { user: user.value.trim(), password: password.value });
      go(['/sign-in', '/register'].includes(location.pathname) ? '/films' : location.pathname);
    } catch (error) {
      trouble.textContent = sayError(error instanceof Refusal ? error.code : 'lost');
      password.value = '';
      password.focus();
    }
    button.disabled = false;
  };
  main.append(make('form', { class: 'card narrow', onsubmit: e => void submit(e) },
    make('h1', {}, title),
    make('label', { for: 'user' }, say(joins ? 'user' : 'user_or_name')), user,
    make('label', { for: 'password' }, say('password')), password,
    joins ? make('p', { class: 'dim' }, say('password_rule')) : null,
    trouble, button, after));
  user.focus();
}

export const signInPage: Page = main => form(main, '/api/sign-in',
  me.registration ? make('p', {}, say('new_here') + ' ', make('a', { href: '/register' }, say('register'))) : null);

export const registerPage: Page = main => form(main, '/api/register',
  make('p', {}, say('already') + ' ', make('a', { href: '/sign-in' }, say('sign_in'))));
