// Elements from a line of code. Text is always text: nothing that a server or a person wrote is ever read as HTML.
type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | ((e: Event) => void) | undefined>;

export function make<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

export function table(heads: string[], rows: Child[][], numbers: number[] = []): HTMLElement {
  const cell = (tag: 'th' | 'td', child: Child, i: number) =>
    make(tag, { class: numbers.includes(i) ? 'n' : undefined, 'data-head': tag === 'td' ? heads[i] : undefined }, child);
  return make('div', { class: 'scroll', tabindex: 0 },
    make('table', {},
      make('thead', {}, make('tr', {}, ...heads.map((head, i) => cell('th', head, i)))),
      make('tbody', {}, ...rows.map(row => make('tr', {}, ...row.map((child, i) => cell('td', child, i)))))));
}
