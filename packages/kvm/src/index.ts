// SPDX-License-Identifier: GPL-2.0-only
export * from './guest.js';
export { enterGuest, exitGuest } from './guest-mode.js';
export * from './invariants.js';
export * from './kvm-host.js';
export * from './kvm-main.js';
export * from './mmu.js';
export { transparentHugepageAdjust } from './mmu-huge.js';
export * from './mmu-notifier-ops.js';
export { sptePage, sptepOf } from './spte.js';
