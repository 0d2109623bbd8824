// SPDX-License-Identifier: GPL-2.0-only
export { bootRcuEvents } from './flavour.js';
export {
  condSynchronizeRcu,
  getStateSynchronizeRcu,
  pollStateSynchronizeRcu,
  type RcuCookie,
  type RcuState,
  rcuGetGpCookie,
  rcuGpCookieElapsed,
  startPollSynchronizeRcu,
} from './gp-cookie.js';
export { rcuBarrier } from './rcu-barrier.js';
export { rcuStall } from './rcu-invariants.js';
export * from './rcu-statistics.js';
export { rcuNeedsCpu, rcuNoteContextSwitch, rcuPending } from './rcuclassic.js';
export * from './rcupdate.js';
export * from './tick.js';
export {
  urcuBegun,
  urcuInvoking,
  urcuIsQueued,
  urcuQueued,
  urcuReclaim,
  urcuTryExclude,
  urcuTryReclaim,
} from './urcu-call-rcu.js';
export { rcuThreadDied } from './urcu-mb.js';
export { rcuQuiescentState, rcuThreadOffline } from './urcu-qsbr.js';
