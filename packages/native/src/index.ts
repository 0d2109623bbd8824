// SPDX-License-Identifier: MIT
export type { AsyncTask } from './async-task.js';
export type { DeathReport, LeftLock, LockRepair } from './deaths.js';
export { NativeError, type NativeErrorCode } from './errors.js';
export { repairList } from './leftovers.js';
export { NativeMachine } from './machine.js';
export {
  isShared,
  type MachineHandle,
  type MachineOptions,
  MIN_WORDS,
  sharedMemory,
  type ThreadOptions,
} from './memory.js';
export type { CacheStatistics } from './slab.js';
export type { Stall } from './stall.js';
export { canSleep, type WatchedWorker } from './surroundings.js';
export type { Device } from './thread-engine.js';
export type { ThreadStatus } from './threads.js';
export {
  instantiate,
  memoryOf,
  type StaysInJavaScript,
  type TranslatedModule,
  type WasmMemory,
  wasmMemory,
} from './web-assembly.js';
