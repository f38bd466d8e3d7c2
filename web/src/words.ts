// Every word on the pages, in both languages.
const en = {
  films: 'Films', status: 'Status', accounting: 'Viewings', account: 'Account', menu: 'Pages', skip: 'To the content',
  sign_in: 'Sign in', sign_out: 'Sign out', sign_out_everywhere: 'Sign out everywhere', register: 'Register', user: 'E-mail address', user_or_name: 'Name or e-mail address',
  password: 'Password', password_rule: 'At least 8 characters.', new_here: 'New here?', already: 'Already registered?',
  theme: 'Light or dark', search: 'Search films', no_films: 'No film is here yet. On the server: naru video add FILE', none_found: 'No film is called so.',
  origin_silent: 'The origin does not answer; the list may be old or empty.', no_origin: 'This console knows no origin: console { origin HOST:PORT } in naru.conf.',
  play: 'Play', pause: 'Pause', back: 'Back', forward: 'Forward', jump: 'Jump', sound: 'Sound', full: 'Full screen',
  service: 'service', state: 'state', since: 'for', restarts: 'restarts', ready: 'ready', sessions: 'Signed in now', viewings: 'Viewings on record', node: 'Host', version: 'Version',
  from_supervisor: 'As the supervisor of the locked processes says.', from_process: 'Services in this process; the others are not seen from here.',
  film: 'film', who: 'who', began: 'began', watched: 'watched', bytes: 'bytes', stalls: 'stalls', servers: 'servers', mean_rate: 'mean rate', startup: 'start-up',
  all: 'Altogether', by_film: 'By film', by_server: 'By server', each: 'Each viewing', nothing_watched: 'Nothing was watched yet.', own_only: 'Your viewings.',
  role: 'Role', role_admin: 'administrator', role_user: 'member', role_viewer: 'viewer', language: 'Language', appearance: 'Appearance', auto: 'as the system', light: 'light', dark: 'dark',
  buffer: 'Buffer', playout_delay: 'Playout delay', throughput: 'Throughput', rung: 'Quality', server: 'Server', why: 'Why', stall_count: 'Stalls', start_up: 'Start-up', link: 'Link', unlimited: 'unlimited',
  link_line: 'The line between this machine and the small Internet: pull it down and watch the quality follow. It counts for every viewer here, in a browser or a terminal.', link_operator: 'The line between this machine and the small Internet. Only its operator may change it (operator@netcinema.com).', link_console: 'Not in the small Internet: only what passes through this console is narrowed, for you alone.', link_none: 'The line to the network can be narrowed in the small Internet: naru try --map three-cdns', seconds: 's', playing: 'playing', stalled: 'stalled', paused: 'paused', starting: 'starting', over: 'over',
  keys: 'Keys: space pauses; ← → jump 10 s; J K L: back, pause, forward; 0–9 jump to tenths; M sound, F full screen',
  error_wrong: 'That name or password is not right.', error_too_many: 'Too many tries. Wait a little.', error_trouble: 'The server has trouble; try again.', error_plaintext: 'Passwords are taken under TLS only. Open this page over https.',
  error_taken: 'That address is registered already.', error_closed: 'Registration is closed.', error_name: 'That address cannot be registered here.', error_password: 'A password has 8 to 255 characters.',
  error_wrong_password: 'That is not your password.', error_operator: 'Only the operator may change the line.', error_link: 'There is no line to change here.', error_sign_in: 'You are signed out.',
  error_film: 'There is no such film.', error_play: 'The film cannot be played: ', error_decode: 'the browser cannot decode it. (The small Internet\'s own film, 6y7b23v, has no pictures: it is there to be counted. One with pictures: naru video sample --host origin.netcinema.com)', error_lost: 'The server does not answer.',
  keys_title: 'Keys', now: 'now', at_least: 'at least', ranking: 'Servers in the order of steering', chart: 'The last minute and a half: quality, throughput, buffer', summary: 'How it was', switches: 'Switches', given_up: 'Given up',
  failures: 'Failures', received: 'Received', quality: 'Score', watched_for: 'Watched', mean_quality: 'Mean rate', by_rung: 'Film by quality', quality_help: 'Score: mean Mbit/s, less 4.3 a second of waiting and the steps between neighbours, a segment (Yin and others, SIGCOMM 2015).',
  packaging: 'Packaging', as_segments: 'Segments', as_whole: 'One file, ranges', to_films: 'All films', sound_on: 'Sound on', sound_off: 'Sound off',
  password_title: 'Change the password', password_now: 'Password now', password_new: 'New password', password_again: 'New password again', password_change: 'Change', password_done: 'Changed. Everywhere else you are signed out.', password_differ: 'The two new passwords differ.',
  sessions_title: 'Signed in elsewhere?', sessions_help: 'Ends every session of yours, this one too.', preferences: 'Language and appearance', show_password: 'Show',
  // the decision's reasons
  when_room: 'the buffer has room', when_full: 'the buffer is full', when_plenty: 'the buffer holds enough', when_running: 'it is worth its time', when_too_slow: 'too slow: given up for a smaller one',
  when_silent: 'the server sends nothing', when_no_server: 'every server failed a moment ago', when_end: 'the film is fetched',
  what_first: 'nothing is known yet: start low, start soon', what_only: 'there is no other', what_top: 'the best there is', what_planned: 'the best plan', what_up: 'up: the plan allows more', what_down: 'down: more would stall',
  what_buffer_low: 'the buffer would run dry with more', what_throughput: 'the throughput allows it', what_buffer: 'the buffer level says so', what_trick: 'fast motion: the smallest is enough',
  where_ranked: 'the first of the ranking', where_only: 'there is no other', where_failed_over: 'those before it failed', where_faster: 'far faster than those before it', where_probed: 'a better one is tried again', where_same: 'as before',
};
const ko: typeof en = {
  films: '영화', status: '상태', accounting: '시청 기록', account: '계정', menu: '화면들', skip: '본문으로',
  sign_in: '로그인', sign_out: '로그아웃', sign_out_everywhere: '모든 곳에서 로그아웃', register: '가입', user: '이메일 주소', user_or_name: '이름 또는 이메일 주소',
  password: '비밀번호', password_rule: '8자 이상이어야 합니다.', new_here: '처음이신가요?', already: '이미 가입하셨나요?',
  theme: '밝게 / 어둡게', search: '영화 찾기', no_films: '아직 영화가 없습니다. 서버에서: naru video add 파일', none_found: '그런 영화는 없습니다.',
  origin_silent: '오리진이 대답하지 않습니다. 목록이 오래되었거나 비어 있을 수 있습니다.', no_origin: '이 콘솔은 오리진을 모릅니다: naru.conf에 console { origin 호스트:포트 }',
  play: '재생', pause: '일시정지', back: '뒤로', forward: '앞으로', jump: '이동', sound: '소리', full: '전체 화면',
  service: '서비스', state: '상태', since: '시간', restarts: '다시 시작', ready: '준비됨', sessions: '지금 로그인', viewings: '시청 기록', node: '호스트', version: '버전',
  from_supervisor: '잠긴 프로세스들을 감독하는 쪽이 알려 준 것입니다.', from_process: '이 프로세스 안의 서비스입니다. 다른 것은 여기서 보이지 않습니다.',
  film: '영화', who: '시청자', began: '시작', watched: '본 시간', bytes: '받은 양', stalls: '멈춤', servers: '서버', mean_rate: '평균 화질', startup: '시작까지',
  all: '모두', by_film: '영화별', by_server: '서버별', each: '시청 하나하나', nothing_watched: '아직 시청 기록이 없습니다.', own_only: '내 시청 기록입니다.',
  role: '역할', role_admin: '관리자', role_user: '구성원', role_viewer: '시청자', language: '언어', appearance: '모양', auto: '시스템대로', light: '밝게', dark: '어둡게',
  buffer: '버퍼', playout_delay: '재생 지연', throughput: '처리율', rung: '화질', server: '서버', why: '이유', stall_count: '멈춤', start_up: '시작까지', link: '회선', unlimited: '제한 없음',
  link_line: '이 컴퓨터와 작은 인터넷 사이의 회선입니다. 낮추면 화질이 따라 내려갑니다. 브라우저든 터미널이든 이곳의 모든 시청자에게 적용됩니다.', link_operator: '이 컴퓨터와 작은 인터넷 사이의 회선입니다. 운영자만 바꿀 수 있습니다 (operator@netcinema.com).', link_console: '작은 인터넷이 아닙니다: 이 콘솔을 거치는 것만, 당신에게만 느려집니다.', link_none: '네트워크까지의 회선은 작은 인터넷에서 좁힐 수 있습니다: naru try --map three-cdns', seconds: '초', playing: '재생 중', stalled: '멈춤', paused: '일시정지', starting: '시작 중', over: '끝남',
  keys: '키: 스페이스 일시정지, ← → 10초 이동, J K L 뒤로·정지·앞으로, 0–9 십분의 몇 지점으로, M 소리, F 전체 화면',
  error_wrong: '이름이나 비밀번호가 맞지 않습니다.', error_too_many: '시도가 너무 많습니다. 잠시 기다려 주세요.', error_trouble: '서버에 문제가 있습니다. 다시 시도해 주세요.', error_plaintext: '비밀번호는 TLS에서만 받습니다. 이 화면을 https로 열어 주세요.',
  error_taken: '이미 가입된 주소입니다.', error_closed: '가입을 받지 않습니다.', error_name: '여기서 가입할 수 없는 주소입니다.', error_password: '비밀번호는 8자에서 255자까지입니다.',
  error_wrong_password: '지금의 비밀번호가 아닙니다.', error_operator: '운영자만 회선을 바꿀 수 있습니다.', error_link: '여기에는 바꿀 회선이 없습니다.', error_sign_in: '로그아웃되었습니다.',
  error_film: '그런 영화는 없습니다.', error_play: '영화를 재생할 수 없습니다: ', error_decode: '브라우저가 풀지 못합니다. (작은 인터넷의 영화 6y7b23v에는 그림이 없습니다. 바이트를 세기 위한 것입니다. 그림이 있는 영화: naru video sample --host origin.netcinema.com)', error_lost: '서버가 대답하지 않습니다.',
  keys_title: '키', now: '지금', at_least: '적어도', ranking: '조종 순위대로 본 서버', chart: '지난 1분 30초: 화질, 처리율, 버퍼', summary: '시청 요약', switches: '화질 변경', given_up: '포기한 것',
  failures: '실패', received: '받은 양', quality: '점수', watched_for: '본 시간', mean_quality: '평균 화질', by_rung: '화질별 영화', quality_help: '점수: 조각마다 평균 Mbit/s에서 기다린 시간(초당 4.3)과 이웃 사이의 화질 차이를 뺀 것 (Yin 등, SIGCOMM 2015).',
  packaging: '포장', as_segments: '조각들', as_whole: '파일 하나, 범위', to_films: '모든 영화', sound_on: '소리 켜기', sound_off: '소리 끄기',
  password_title: '비밀번호 바꾸기', password_now: '지금 비밀번호', password_new: '새 비밀번호', password_again: '새 비밀번호 다시', password_change: '바꾸기', password_done: '바뀌었습니다. 다른 모든 곳에서는 로그아웃되었습니다.', password_differ: '새 비밀번호 둘이 서로 다릅니다.',
  sessions_title: '다른 곳에도 로그인되어 있나요?', sessions_help: '지금 이곳을 포함해 모든 로그인을 끝냅니다.', preferences: '언어와 모양', show_password: '보기',
  when_room: '버퍼에 자리가 있음', when_full: '버퍼가 가득 참', when_plenty: '버퍼에 충분히 있음', when_running: '계속 받을 만함', when_too_slow: '너무 느려 더 작은 것으로', when_silent: '서버가 아무것도 보내지 않음', when_no_server: '방금 모든 서버가 실패함', when_end: '영화를 다 받음',
  what_first: '아직 아는 것이 없어 낮게, 빨리 시작', what_only: '하나뿐임', what_top: '가장 좋은 화질', what_planned: '가장 좋은 계획', what_up: '올림: 계획에 여유가 있음', what_down: '내림: 더 크면 멈춤',
  what_buffer_low: '더 크면 버퍼가 바닥남', what_throughput: '처리율이 허락함', what_buffer: '버퍼 수준에 따라', what_trick: '빠른 재생: 가장 작은 것으로 충분',
  where_ranked: '순위의 첫째', where_only: '하나뿐임', where_failed_over: '앞의 서버가 실패함', where_faster: '앞의 서버보다 훨씬 빠름', where_probed: '더 나은 서버를 다시 시도', where_same: '전과 같음',
};

export type Word = keyof typeof en;
export let language: 'en' | 'ko' = document.documentElement.lang === 'ko' ? 'ko' : 'en';
export const say = (word: Word): string => (language === 'ko' ? ko : en)[word];
// The words of a server's code ("too-many"), or its trouble.
export const sayError = (code: string): string => {
  const word = `error_${code.replace(/-/g, '_')}`;
  return say(word in en ? (word as Word) : 'error_trouble');
};

export function speak(which: 'en' | 'ko'): void {
  language = which;
  document.documentElement.lang = which;
  localStorage.setItem('language', which);
}
