// SPDX-License-Identifier: MIT
export type * from './ast.js';
export { LitmusError, type Source } from './error.js';
export { type Communication, cyclicTest, type Edge, type Order, ring } from './generate.js';
export { found, type Judgement, judge } from './judge.js';
export type * from './outcome.js';
export { conditionHolds, finalStates, herdOutput, type Observation, observation, troubleLines } from './output.js';
export { parseLitmus } from './parse.js';
export { solve } from './solve.js';
export { decidingPlaces, holds, observedPlaces, stateText } from './state.js';
export { warnings } from './warnings.js';
