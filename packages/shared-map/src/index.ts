// SPDX-License-Identifier: GPL-2.0-only
/// <reference lib="esnext.disposable" preserve="true" />

export type { SharedValue } from './codec.js';
export { SharedMapError, type SharedMapErrorCode } from './error.js';
export type { CreateOptions, SharedMapHandle } from './options.js';
export { SharedMap } from './shared-map.js';
export type { SharedMapStatistics } from './statistics.js';
