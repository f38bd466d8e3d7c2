import { get, me, type Film } from '../api';
import type { Page } from '../app';
import { make } from '../dom';
import { clock } from '../format';
import { icon } from '../icons';
import { say, sayError } from '../words';

const SEARCH_WAIT_MS = 150;

function card(film: Film): HTMLElement {
  const picture = make('img', { src: film.poster, alt: '', loading: 'lazy', width: 320, height: 180, onerror: e => (e.target as Element).classList.add('missing') });
  return make('li', {},
    make('a', { href: `/watch/${film.id}`, class: 'film' }, make('span', { class: 'poster' }, icon('play'), picture),
      make('span', { class: 'title' }, film.title || film.id),
      film.duration_ms ? make('span', { class: 'dim' }, clock(film.duration_ms / 1000)) : null));
}

export const filmsPage: Page = async main => {
  const list = make('ul', { class: 'films' }), note = make('p', { class: 'dim', role: 'status' });
  const input = make('input', { type: 'search', id: 'search', 'aria-label': say('search'), placeholder: say('search'), autocomplete: 'off' });
  let timer = 0, last = 0;
  const look = async () => {
    const mine = ++last;
    try {
      const answer = await get<{ films: Film[]; known: boolean }>('/api/films?q=' + encodeURIComponent(input.value));
      if (mine !== last) return;
      list.replaceChildren(...answer.films.map(card));
      note.textContent = !me.films ? say('no_origin') : !answer.known ? say('origin_silent') : answer.films.length ? '' : say(input.value ? 'none_found' : 'no_films');
    } catch {
      note.textContent = sayError('lost');
    }
  };
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void look(), SEARCH_WAIT_MS);
  });
  main.append(make('div', { class: 'top' }, make('h1', {}, say('films')), input), note, list);
  await look();
};
