// SPDX-License-Identifier: GPL-2.0-only
export * from './charge.js';
export * from './force-empty.js';
export * from './mem-cgroup.js';
export { memCgroupMoveAccount } from './move-account.js';
export { lockPageCgroup, PageCgroup, pageGetPageCgroup, unlockPageCgroup } from './page-cgroup.js';
export { RES_COUNTER_MAX, ResCounter, resCounterSetLimit, resCounterUsage } from './res-counter.js';
