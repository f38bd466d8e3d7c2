// The page of the swarm: asks /live once a second (slower while hidden), changes things through /transmission/rpc.
'use strict';

const words = {
  en: {
    swarm: 'swarm', add_label: 'Magnet link, or drop a .torrent file on this page', add: 'Add', choose: 'File…', empty: 'No torrents yet.',
    pause: 'Pause', resume: 'Resume', verify: 'Check', remove: 'Remove', remove_ask: 'Remove “%s”? Its files stay.',
    state: ['paused', 'waiting to be checked', 'checking', 'waiting', 'downloading', 'waiting to seed', 'seeding'],
    trouble: 'in trouble', success: 'Success', metadata: 'asking for the metadata', peers: 'peers', from: 'from', to: 'to', ratio: 'ratio', left: 'left', pieces: 'Pieces', neighbours: 'Peers',
    files: 'Files', trackers: 'Trackers', address: 'address', client: 'client', has: 'has', down: 'down', up: 'up', why: 'we send to it?', next: 'next from it',
    seconds: ' s', minutes: ' min', hours: ' h', nothing: 'Nobody is connected.', lost: 'naru does not answer; trying again…', yes: 'yes', no: 'no',
    seeders: 'seeders:', failed: 'could not be done: ',
  },
  ko: {
    swarm: '스웜', add_label: '마그넷 링크를 넣거나 .torrent 파일을 이 화면에 끌어다 놓으세요', add: '추가', choose: '파일…', empty: '아직 토렌트가 없습니다.',
    pause: '멈춤', resume: '계속', verify: '검사', remove: '지우기', remove_ask: '“%s”을(를) 지울까요? 파일은 남습니다.',
    state: ['멈춤', '검사 대기', '검사 중', '대기', '받는 중', '배포 대기', '배포 중'],
    trouble: '문제가 생김', success: '성공', metadata: '메타데이터를 받는 중', peers: '피어', from: '받음', to: '보냄', ratio: '비율', left: '남음', pieces: '조각', neighbours: '피어',
    files: '파일', trackers: '트래커', address: '주소', client: '프로그램', has: '가진 양', down: '받기', up: '보내기', why: '보내 주나?', next: '다음에 받을 것',
    seconds: '초', minutes: '분', hours: '시간', nothing: '연결된 피어가 없습니다.', lost: 'naru가 대답하지 않습니다. 다시 시도합니다…', yes: '예', no: '아니요',
    seeders: '배포자', failed: '하지 못했습니다: ',
  },
};
// The reasons that naru gives, in Korean; one that is not here is shown as it came.
const reasons_ko = {
  'it wants nothing that we have': '우리에게 원하는 것이 없음', 'it only sends': '보내기만 하는 피어', 'it was unchoked and asked for nothing': '열어 주었으나 아무것도 요청하지 않음',
  'others send to us faster': '다른 피어가 더 빨리 보내 줌', 'it was asked and has sent nothing for a minute': '1분 동안 아무것도 보내지 않음',
  'it waits for the next round': '다음 차례를 기다림', 'others are before it': '앞에 다른 피어가 있음', 'all slots are taken': '빈자리가 없음',
  'it is one of the fastest': '가장 빠른 피어 가운데 하나', 'luck: it is tried out for 30 seconds': '운: 30초 동안 시험해 봄', 'a slot was free': '빈자리가 있었음',
  'the line had room for one more': '회선에 여유가 있음', 'it was given the least so far': '지금까지 가장 적게 받음', 'it lacks the most': '가장 많이 모자람',
  'its turn lasts until it has a piece': '한 조각을 받을 때까지 차례가 이어짐', 'somebody waits for it until a set time': '정해진 때까지 필요함',
  'the peer suggested it': '그 피어가 권함', 'no other neighbour has it': '다른 이웃에게는 없음', 'it was begun, and only whole pieces can be passed on': '받기 시작했고, 온전한 조각만 나눌 수 있음',
  'it is the next in order': '순서대로 다음', 'our first pieces are taken at random, to have something to give soon': '첫 조각들은 무작위로: 곧 줄 것이 생기도록',
  'no piece that the peer has is rarer among our neighbours': '그 피어의 조각 가운데 이웃들에게 가장 드묾', 'everything is asked for; the last blocks are asked of several': '마지막 블록들은 여러 피어에게 요청',
  'the peer has nothing that we want and have not asked for': '더 요청할 것이 없음',
};
let language = localStorage.getItem('language') || (navigator.language.startsWith('ko') ? 'ko' : 'en');
let session = '', open = location.hash.slice(1) || null, timer = 0;          // open: a hash, of a torrent and of the address
const say = key => words[language][key];
const reason = text => language === 'ko' && reasons_ko[text] || text;
const at = id => document.getElementById(id);

function make(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {}))
    if (key.startsWith('on')) e.addEventListener(key.slice(2), value);
    else if (key === 'class') e.className = value;
    else e.setAttribute(key, value);
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}

function size(n) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) n /= 1000, i++;
  return (i && n < 100 ? n.toFixed(1) : Math.round(n)) + ' ' + units[i];
}
const rate = n => size(n) + '/s';
const time = s => s < 90 ? s + say('seconds') : s < 5400 ? Math.round(s / 60) + say('minutes') : (s / 3600).toFixed(1) + say('hours');
const percent = x => (Math.floor(x * 1000) / 10).toFixed(1) + ' %';

// ---- asking ----------------------------------------------------------------------------------------------------------------

async function ask(method, args) {
  for (let tries = 0; tries < 2; tries++) {
    const answer = await fetch('/transmission/rpc', {
      method: 'POST', headers: { 'X-Transmission-Session-Id': session }, body: JSON.stringify({ method, arguments: args }),
    });
    if (answer.status === 409) {
      session = answer.headers.get('X-Transmission-Session-Id');
      continue;
    }
    const said = await answer.json();
    if (said.result !== 'success') throw new Error(said.result);
    return said.arguments;
  }
  throw new Error('409');
}

function trouble(text) {
  at('trouble').textContent = text || '';
  at('trouble').hidden = !text;
}

async function change(method, args) {
  try {
    await ask(method, args);
    trouble('');
  } catch (e) {
    trouble(say('failed') + e.message);
  }
  look();
}

// ---- one torrent -------------------------------------------------------------------------------------------------------------

function state(t) {
  if (t.error === 3) return say('trouble');
  return t.status === 4 && t.metadataPercentComplete < 1 ? say('metadata') : say('state')[t.status];
}

function facts(t) {
  const parts = [state(t)];
  if (t.status === 2) parts.push(percent(t.recheckProgress));
  if (t.status === 4) parts.push(`${size(t.haveValid)} / ${size(t.sizeWhenDone)} (${percent(t.percentDone)})`, '↓ ' + rate(t.rateDownload));
  else parts.push(size(t.sizeWhenDone));
  if (t.status || t.peersConnected) parts.push('↑ ' + rate(t.rateUpload), `${say('peers')} ${t.peersConnected} (${say('from')} ${t.peersSendingToUs}, ${say('to')} ${t.peersGettingFromUs})`);
  if (t.eta > 0) parts.push(`${time(t.eta)} ${say('left')}`);
  if (t.uploadRatio >= 0) parts.push(`${say('ratio')} ${t.uploadRatio.toFixed(2)}`);
  return parts.join(' · ') + (t.errorString ? ' — ' + t.errorString : '');
}

function buttons(t) {
  const button = (key, run) => make('button', { type: 'button', onclick: run }, say(key));
  return [
    t.status === 0 ? button('resume', () => change('torrent-start', { ids: [t.hashString] }))
                   : button('pause', () => change('torrent-stop', { ids: [t.hashString] })),
    button('verify', () => change('torrent-verify', { ids: [t.hashString] })),
    button('remove', () => confirm(say('remove_ask').replace('%s', t.name)) && change('torrent-remove', { ids: [t.hashString] })),
  ];
}

function toggle(hash) {
  open = open === hash ? null : hash;
  history.replaceState(null, '', open ? '#' + open : location.pathname);
  look();
}

function row(t) {
  const li = make('li', { id: 't' + t.hashString },
    make('div', { class: 'head' },
      make('button', { class: 'name', type: 'button', onclick: () => toggle(t.hashString) })),
    make('div', { class: 'bar' }, make('i')),
    make('p', { class: 'facts' }),
    make('div', { class: 'row tools' }),
    make('div', { class: 'inside' }));
  return li;
}

function row_update(li, t) {
  li.querySelector('.name').textContent = t.name;
  li.querySelector('.name').setAttribute('aria-expanded', open === t.hashString);
  li.querySelector('.bar').classList.toggle('done', t.percentDone >= 1);
  li.querySelector('.bar > i').style.width = percent(t.status === 2 ? t.recheckProgress : t.percentDone).replace(' ', '');
  const f = li.querySelector('.facts');
  f.textContent = facts(t);
  f.classList.toggle('bad', t.error !== 0);
  const key = t.status === 0 ? 'stopped' : 'runs', tools = li.querySelector('.tools');
  if (tools.dataset.key !== key + language) {
    tools.replaceChildren(...buttons(t));
    tools.dataset.key = key + language;
  }
}

// ---- what is inside -------------------------------------------------------------------------------------------------------------

function draw_pieces(canvas, d) {
  const bits = atob(d.pieces), count = d.pieceCount, columns = Math.min(count, 512), context = canvas.getContext('2d');
  const style = getComputedStyle(document.documentElement), done = style.getPropertyValue('--done'), part = style.getPropertyValue('--part');
  canvas.width = columns;
  canvas.height = 1;
  for (let x = 0; x < columns; x++) {
    const from = Math.floor(x * count / columns), to = Math.max(from + 1, Math.floor((x + 1) * count / columns));
    let have = 0;
    for (let i = from; i < to; i++) have += bits.charCodeAt(i >> 3) >> (7 - i % 8) & 1;
    if (!have) continue;
    context.globalAlpha = have / (to - from);
    context.fillStyle = have === to - from ? done : part;
    context.fillRect(x, 0, 1, 1);
  }
}

function table(heads, rows) {
  const cell = (tag, c, head) => typeof c === 'object' && !(c instanceof Node) ? make(tag, { class: 'n', 'data-head': head }, c.n) : make(tag, { 'data-head': head }, c);
  const name = h => typeof h === 'object' ? h.n : h;
  return make('div', { class: 'scroll' }, make('table', {},
    heads.some(name) ? make('thead', {}, make('tr', {}, ...heads.map(h => cell('th', h, '')))) : null,
    make('tbody', {}, ...rows.map(r => make('tr', {}, ...r.map((c, i) => cell('td', c, name(heads[i]))))))));
}

function peer_rows(d) {
  const reasons = {};
  for (const p of d.why && d.why.peers || []) reasons[p.peer] = p;
  return d.peers.map(p => {
    const key = p.address.includes(':') ? `[${p.address}]:${p.port}` : `${p.address}:${p.port}`, w = reasons[key] || {};
    const sends = `${p.peerIsChoked ? say('no') : say('yes')}${w.choke_reason ? ': ' + reason(w.choke_reason) : ''}`;
    const next = w.next_piece >= 0 ? `${w.next_piece}: ${reason(w.next_reason)}` : '';
    return [key, p.clientName, { n: percent(p.progress) }, { n: p.rateToClient ? rate(p.rateToClient) : '' }, { n: p.rateToPeer ? rate(p.rateToPeer) : '' },
      sends, next];
  });
}

// With several files each has a box: is it wanted?
function file_name(d, i) {
  if (d.files.length < 2) return d.files[i].name;
  const box = make('input', { type: 'checkbox', 'data-file': i,
    onchange: e => change('torrent-set', { ids: [d.hashString], [e.target.checked ? 'files-wanted' : 'files-unwanted']: [i] }) });
  box.checked = d.fileStats[i].wanted;
  return make('label', {}, box, ' ' + d.files[i].name);
}

function inside(d) {
  const canvas = make('canvas', { role: 'img', 'aria-label': say('pieces') });
  draw_pieces(canvas, d);
  return [
    make('h2', {}, `${say('pieces')} (${d.pieceCount} × ${d.pieceSize / 1024} KiB)`), canvas,
    make('h2', {}, say('neighbours')),
    d.peers.length ? table([say('address'), say('client'), { n: say('has') }, { n: say('down') }, { n: say('up') }, say('why'), say('next')], peer_rows(d))
                   : make('p', { class: 'dim' }, say('nothing')),
    d.trackerStats.length ? make('h2', {}, say('trackers')) : null,
    ...d.trackerStats.map(t => make('p', { class: 'facts' }, `${t.announce} · ${t.lastAnnounceSucceeded ? say('success') : t.lastAnnounceResult || '…'}${t.seederCount >= 0 ? ` · ${say('seeders')} ${t.seederCount}` : ''}`)),
    make('h2', {}, say('files')),
    table(['', { n: '' }, { n: '' }], d.files.map((f, i) => [file_name(d, i), { n: size(f.length) }, { n: percent(f.length ? f.bytesCompleted / f.length : 1) }])),
  ].filter(Boolean);
}

async function look_inside() {
  const li = open && at('t' + open);
  for (const other of document.querySelectorAll('.inside')) if (!li || !li.contains(other)) other.replaceChildren();
  if (!li) return;
  const answer = await fetch('/live/' + open);
  if (!answer.ok || !open) return;
  const parts = inside(await answer.json()), file = document.activeElement.dataset.file;
  li.querySelector('.inside').replaceChildren(...parts);
  if (file) li.querySelector(`[data-file="${file}"]`)?.focus();
}

// ---- the whole ------------------------------------------------------------------------------------------------------------------

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch('/live');
    if (!answer.ok) throw new Error(answer.status);
    const all = await answer.json(), list = at('torrents'), seen = new Set();
    at('host').textContent = all.host;
    at('rates').textContent = `↓ ${rate(all.stats.downloadSpeed)}  ↑ ${rate(all.stats.uploadSpeed)}`;
    for (const t of all.torrents) {
      let li = at('t' + t.hashString);
      if (!li) list.append(li = row(t));
      row_update(li, t);
      seen.add(li);
    }
    for (const li of [...list.children]) if (!seen.has(li)) li.remove();
    at('empty').hidden = all.torrents.length > 0;
    if (at('trouble').textContent === say('lost')) trouble('');
    await look_inside();
  } catch (e) {
    trouble(say('lost'));
  }
  timer = setTimeout(look, document.hidden ? 10000 : 1000);
}

async function add_file(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  change('torrent-add', { metainfo: btoa(text) });
}

function speak() {
  document.documentElement.lang = language;
  for (const e of document.querySelectorAll('[data-t]')) e.textContent = say(e.dataset.t);
  at('language').textContent = language === 'ko' ? 'English' : '한국어';
}

at('language').addEventListener('click', () => {
  language = language === 'ko' ? 'en' : 'ko';
  localStorage.setItem('language', language);
  speak();
  look();
});
at('add').addEventListener('submit', e => {
  e.preventDefault();
  if (at('link').value.trim()) change('torrent-add', { filename: at('link').value.trim() });
  at('link').value = '';
});
at('choose').addEventListener('click', () => at('file').click());
at('file').addEventListener('change', () => { for (const f of at('file').files) add_file(f); at('file').value = ''; });
document.addEventListener('dragover', e => { e.preventDefault(); document.body.classList.add('drop'); });
document.addEventListener('dragleave', () => document.body.classList.remove('drop'));
document.addEventListener('drop', e => {
  e.preventDefault();
  document.body.classList.remove('drop');
  for (const f of e.dataTransfer.files) add_file(f);
});
document.addEventListener('visibilitychange', look);
speak();
look();
