// SPDX-License-Identifier: MIT
export * from './event.js';
export { type Explanation, explain } from './explain.js';
export { lkmm } from './lkmm.js';
export * from './model.js';
export { type NamedRelations, namedRelations, type RelationName } from './named-relations.js';
export type { NamedEdge } from './paths.js';
export { Relation } from './relation.js';
export { sc } from './sc.js';
export { tso } from './tso.js';
