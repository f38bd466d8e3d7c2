// The slider on the line between the viewer and the network. In the small Internet it is the line itself, the operator's to change; elsewhere
// the console may play one; else there is none, and a word says where there is.
import { get, post } from '../api';
import { make } from '../dom';
import { rate } from '../format';
import { say, sayError } from '../words';
import { Refusal } from '../api';

const RATES = [100e3, 200e3, 300e3, 500e3, 1e6, 2e6, 3e6, 5e6, 10e6, 20e6, 0];      // bit/s; 0: unlimited
const LOOK_MS = 4000;

interface Link { at: 'line' | 'console' | 'none'; bps: number; may: boolean }

// The step that is nearest to a rate that somebody else may have set.
const stepOf = (bps: number): number => bps ? RATES.reduce((best, r, i) => r && Math.abs(Math.log(r / bps)) < Math.abs(Math.log(RATES[best]! / bps)) ? i : best, 0) : RATES.length - 1;
const named = (bps: number): string => bps ? rate(bps) : say('unlimited');

export function linkSlider(): { root: HTMLElement; close: () => void } {
  const shown = make('output', { for: 'link', 'data-is': 'link' }), help = make('p', { class: 'reason' }), trouble = make('p', { class: 'bad', role: 'alert' });
  const input = make('input', { type: 'range', id: 'link', min: 0, max: RATES.length - 1, step: 1, value: RATES.length - 1, disabled: true });
  const row = make('div', { class: 'line-row' }, make('label', { for: 'link' }, say('link')), shown);
  const root = make('section', { class: 'card link', 'aria-label': say('link') }, row, input, help, trouble);
  let moving = false;
  const put = (text: string) => {
    shown.textContent = text;
    input.setAttribute('aria-valuetext', text);
  };
  const take = (link: Link) => {
    root.dataset['at'] = link.at;
    row.hidden = input.hidden = link.at === 'none';
    help.textContent = say(link.at === 'none' ? 'link_none' : link.at === 'console' ? 'link_console' : link.may ? 'link_line' : 'link_operator');
    input.disabled = !link.may;
    if (moving) return;
    input.value = String(stepOf(link.bps));
    put(named(link.bps));
  };
  const look = () => get<Link>('/api/link').then(take).catch(() => {});
  input.addEventListener('input', () => {
    moving = true;
    put(named(RATES[Number(input.value)]!));
  });
  input.addEventListener('change', () => {
    trouble.textContent = '';
    post<Link>('/api/link', { bps: RATES[Number(input.value)]! })
      .then(link => { moving = false; take(link); })
      .catch(error => { moving = false; trouble.textContent = sayError(error instanceof Refusal ? error.code : 'lost'); void look(); });
  });
  void look();
  const timer = window.setInterval(() => { if (!moving) void look(); }, LOOK_MS);
  return { root, close: () => clearInterval(timer) };
}
