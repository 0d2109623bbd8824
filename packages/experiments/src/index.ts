// SPDX-License-Identifier: GPL-2.0-only
export * from './experiment.js';
export { formatResults } from './format.js';
export { pagecacheExperiments } from './pagecache.js';
export * from './published.js';
export { rmapExperiments } from './rmap.js';
