// SPDX-License-Identifier: MIT

export type { SimulatorBenchRow } from './bench.js';
export { benchSimulator, renderSimulatorBench } from './bench.js';
export type { CacheDistance, CacheModel, CacheParameters } from './caches.js';
export { CACHES } from './caches.js';
export type { CoherenceStatistics } from './coherence.js';
export { Coherence } from './coherence.js';
export type { CostModel } from './cost.js';
export { defaultCost } from './cost.js';
export type { DeviceSpec } from './devices.js';
export type { PerformedAccess } from './history.js';
export type { Invariant, InvariantResult } from './invariants.js';
export { Machine } from './machine.js';
export type { Hooks, MachineConfig, MachineOptions, MemoryModel, Observer, SchedulerName } from './options.js';
export type { RunLimits, RunOutcome, RunStatus } from './outcome.js';
export { Random } from './random.js';
export { Statistics } from './statistics.js';
export type { TaskOptions } from './tasks.js';
export { decodeToken } from './token.js';
export type { ContextStack, Frame, ViolationDetails } from './violation.js';
export { Violation } from './violation.js';
