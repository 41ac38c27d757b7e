/** For how long an idle model stays loaded, and when it is loaded again before it is asked for. */
export {
  decideKeepalive,
  type KeepaliveClock,
  type KeepaliveDecision,
  type KeepaliveState,
} from './keepalive/decide.js';
export { IdleHistory, type IdleHistoryOptions } from './keepalive/idle-history.js';
export { priceOf, type Strategy } from './keepalive/price.js';
export { type KeepaliveFacts, type KeepaliveWindow, keepaliveWindow, leadMsOf } from './keepalive/window.js';
