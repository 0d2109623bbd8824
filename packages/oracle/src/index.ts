// SPDX-License-Identifier: GPL-2.0-only
export { type Comparison, compareScript, type Difference, type FieldDifference } from './compare.js';
export { type Deliberate, deliberateDifferences } from './deliberate.js';
export { formatDifference } from './format-difference.js';
export { formatScript } from './format-script.js';
export { scripts } from './generate.js';
export { hugeScripts } from './generate-huge.js';
export { kernelSide } from './kernel.js';
export { ScriptError } from './line.js';
export { kernelHasHugePages, OracleError, type OracleFailure, reasonAgainstKernel } from './machine.js';
export * from './observation.js';
export { parseScript } from './parse-script.js';
export * from './script.js';
export { type SearchOptions, type SearchProgress, type SearchResult, searchDifference } from './search.js';
export { simulatedSide } from './simulated.js';
