// What tests/web/session.mjs takes of the page's player.
export { Decider, WHATS, WHENS, WHERES } from '../../web/src/player/decision';
export { load } from '../../web/src/player/load';
export { situationOf } from '../../web/src/player/told';
